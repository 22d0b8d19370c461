import { isIP } from 'node:net';
import { UserError } from '../../errors/towtank-error.ts';
import type { NetworkNamespace } from '../../kernel/network-namespace.ts';
import { connectTcp } from '../../kernel/sockets.ts';
import type { FetchRequest, FetchResponse } from '../control/protocol.ts';

const { request: httpRequest } = process.getBuiltinModule('node:http');

/** A place that requests are made from. */
export interface Vantage {
  readonly netns: NetworkNamespace;
  /** Addresses of a name as a program in this place resolves it, best first; rejects when there is none. */
  readonly resolve: (host: string) => Promise<readonly string[]>;
}

/** Makes one HTTP request on a new connection from a place in the network. Rejects with ERR_TIMEOUT, ERR_USAGE or the socket's error. */
export async function fetchFrom(vantage: Vantage, request: FetchRequest): Promise<FetchResponse> {
  const url = parseUrl(request.url);
  const literal = url.hostname.replace(/^\[|\]$/g, '');
  const addresses = isIP(literal) ? [literal] : await vantage.resolve(literal);
  const deadline = AbortSignal.timeout(request.timeoutMs);
  let failure: unknown;
  for (const host of addresses) {
    try {
      return await fetchOnce(vantage.netns, { host, url, request, deadline });
    } catch (error) {
      failure = error;
      if (deadline.aborted) break;
    }
  }
  if (deadline.aborted) {
    throw new UserError({
      code: 'ERR_TIMEOUT',
      message: `${request.url} did not answer within ${request.timeoutMs} ms`,
      cause: failure,
    });
  }
  const { message, code } = failure as NodeJS.ErrnoException;
  throw new UserError({ code: 'ERR_SYSCALL', message: `${request.url}: ${message || code}`, cause: failure });
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'http:') return url;
  throw new UserError({
    code: 'ERR_USAGE',
    message: `"${text}" is not an http:// URL`,
    hint: 'for https run curl with exec',
  });
}

interface Attempt {
  readonly host: string;
  readonly url: URL;
  readonly request: FetchRequest;
  readonly deadline: AbortSignal;
}

function fetchOnce(netns: NetworkNamespace, { host, url, request, deadline }: Attempt): Promise<FetchResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<FetchResponse>();
  const outgoing = httpRequest({
    createConnection: () => connectTcp(netns, { host, port: Number(url.port || 80) }),
    method: request.method,
    path: `${url.pathname}${url.search}`,
    headers: { host: url.host, connection: 'close', ...request.headers },
    signal: deadline,
  });
  outgoing.on('error', reject);
  outgoing.on('response', (response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('error', reject);
    response.on('end', () => {
      const headers = Object.fromEntries(
        Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
      );
      resolve({ status: response.statusCode ?? 0, headers, body: Buffer.concat(chunks).toString('utf8') });
    });
  });
  outgoing.end(request.body);
  return promise;
}
