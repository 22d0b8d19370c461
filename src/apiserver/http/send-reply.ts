import type { ServerResponse } from 'node:http';
import { hasCode } from '../../errors/towtank-error.ts';
import { ApiStatusError, type StatusReason } from '../../kube/status.ts';
import type { ApiReply, BodyReply, ChunkedReply } from './api-request.ts';
import { valueReply } from './api-request.ts';

// Bodies larger than this are joined and written in slices, so that no turn of the event loop is spent on one client.
const SLICE = 1024 * 1024;
const MAX_WARNING = 4096;

/** The one place where an error becomes an answer. */
export function errorReply(error: unknown): BodyReply {
  const status = asStatusError(error);
  const retry = status.details?.retryAfterSeconds;
  const reply = valueReply(status.status, status.toStatus());
  const after = retry ?? (status.status === 429 ? 1 : undefined);
  return after === undefined ? reply : { ...reply, headers: { ...reply.headers, 'retry-after': String(after) } };
}

/** Anything thrown as an ApiStatusError; a bug becomes InternalError (500) and keeps its cause. */
export function asStatusError(error: unknown): ApiStatusError {
  if (error instanceof ApiStatusError) return error;
  if (hasCode(error, 'ERR_STORE_UNAVAILABLE')) return withCause('ServiceUnavailable', error.message, error);
  const message = error instanceof Error ? error.message : String(error);
  const internal = withCause('InternalError', `Internal error occurred: ${message}`, error);
  return internal;
}

function withCause(reason: StatusReason, message: string, cause: unknown): ApiStatusError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return Object.assign(new ApiStatusError(reason, message, { causes: [{ message: text }] }), { cause });
}

export interface SendOptions {
  /** Names and values that the answer has beside its own, one behind the other. */
  readonly headers?: readonly string[] | undefined;
  readonly warnings: readonly string[];
  /** Told of what goes wrong when the status is sent already. */
  readonly onError: (error: unknown) => void;
}

/** Writes an answer. */
export function sendReply(response: ServerResponse, reply: ApiReply, options: SendOptions): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const { headers = [], warnings, onError } = options;
  const common = [...headers, 'cache-control', 'no-cache, private'];
  for (const warning of warnings) common.push('warning', printWarning(warning));
  if (reply.type === 'body') {
    sendBody(response, reply, common, onError);
    return;
  }
  // Only a connection that asked for it is upgraded, and that does not come this way.
  if (reply.type === 'upgrade') {
    sendBody(response, errorReply(new ApiStatusError('BadRequest', 'Upgrade request required')), common, onError);
    return;
  }
  for (let i = 0; i < common.length; i += 2) response.appendHeader(common[i]!, common[i + 1]!);
  if (reply.type === 'stream') reply.write(response);
  else sendChunks(response, reply, onError);
}

type OnError = SendOptions['onError'];

function sendChunks(response: ServerResponse, { chunks, length }: ChunkedReply, onError: OnError): void {
  if (length !== undefined) response.setHeader('content-length', length);
  response.writeHead(200, { 'content-type': 'application/json' });
  writeChunks(response, chunks, onError);
}

// All headers in one list: to set them one by one costs as much as sending them.
function sendBody(response: ServerResponse, reply: BodyReply, all: string[], onError: OnError): void {
  const { status, headers, parts } = reply;
  for (const name in headers) all.push(name, headers[name]!);
  let length = 0;
  for (const part of parts) length += part.length;
  if (status !== 304) all.push('content-length', String(length));
  response.writeHead(status, all);
  if (length <= SLICE) response.end(parts.length === 1 ? parts[0] : Buffer.concat(parts as Buffer[], length));
  else writeChunks(response, slices(parts), onError);
}

function* slices(parts: readonly Buffer[]): Generator<Buffer> {
  for (let at = 0; at < parts.length; ) {
    const slice: Buffer[] = [];
    for (let length = 0; at < parts.length && length < SLICE; length += parts[at++]!.length) slice.push(parts[at]!);
    yield Buffer.concat(slice);
  }
}

function writeChunks(response: ServerResponse, chunks: Iterator<Buffer>, onError: OnError): void {
  const step = (): void => {
    if (response.destroyed) return;
    const { done, value } = chunks.next();
    if (done) response.end();
    else response.write(value, () => setImmediate(next));
  };
  const next = (): void => {
    try {
      step();
    } catch (error) {
      // The client was told 200: a body that breaks off is all that can be said to it now.
      onError(error);
      response.destroy();
    }
  };
  next();
}

// `299 - "text"`, as RFC 7234 has it; what cannot stand in a header is left out.
function printWarning(text: string): string {
  const clean = text.replaceAll(/[^\t\x20-\x7e]/g, '').slice(0, MAX_WARNING);
  return `299 - "${clean.replaceAll(/["\\]/g, '\\$&')}"`;
}
