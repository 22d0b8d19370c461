import type { ServerResponse } from 'node:http';
import { hasCode } from '../../errors/towtank-error.ts';
import { ApiStatusError, type StatusReason } from '../../kube/status.ts';
import type { ApiReply, BodyReply } from './api-request.ts';
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

/** Writes an answer. */
export function sendReply(response: ServerResponse, reply: ApiReply, warnings: readonly string[]): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  response.setHeader('cache-control', 'no-cache, private');
  if (warnings.length > 0) response.setHeader('warning', warnings.map(printWarning));
  if (reply.type === 'stream') reply.write(response);
  else if (reply.type === 'body') sendBody(response, reply);
  // Only a connection that asked for it is upgraded, and that does not come this way.
  else sendBody(response, errorReply(new ApiStatusError('BadRequest', 'Upgrade request required')));
}

function sendBody(response: ServerResponse, { status, headers, parts }: BodyReply): void {
  for (const name in headers) response.setHeader(name, headers[name]!);
  let length = 0;
  for (const part of parts) length += part.length;
  if (status !== 304) response.setHeader('content-length', length);
  response.writeHead(status);
  if (length <= SLICE) response.end(parts.length === 1 ? parts[0] : Buffer.concat(parts as Buffer[], length));
  else writeSlices(response, parts);
}

function writeSlices(response: ServerResponse, parts: readonly Buffer[]): void {
  let at = 0;
  const next = (): void => {
    if (response.destroyed) return;
    const slice: Buffer[] = [];
    let length = 0;
    while (at < parts.length && length < SLICE) {
      const part = parts[at++]!;
      slice.push(part);
      length += part.length;
    }
    const flowing = response.write(Buffer.concat(slice, length));
    if (at === parts.length) response.end();
    else if (flowing) setImmediate(next);
    else response.once('drain', next);
  };
  next();
}

// `299 - "text"`, as RFC 7234 has it; what cannot stand in a header is left out.
function printWarning(text: string): string {
  const clean = text.replaceAll(/[^\t\x20-\x7e]/g, '').slice(0, MAX_WARNING);
  return `299 - "${clean.replaceAll(/["\\]/g, '\\$&')}"`;
}
