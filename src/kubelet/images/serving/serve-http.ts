import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { BuiltinContext } from '../builtin-image.ts';
import { type ListenAddress, serveTcp } from './listen.ts';

const { createServer } = process.getBuiltinModule('node:http');

/** A request as built-in programs see it. */
export interface HttpRequest {
  readonly message: IncomingMessage;
  readonly method: string;
  /** Decoded path, and the parameters of the query. */
  readonly path: string;
  readonly query: URLSearchParams;
}

export type HttpHandler = (request: HttpRequest, response: ServerResponse) => void | Promise<void>;

/** An HTTP server in a pod. */
export interface HttpListener extends Disposable {
  /** Takes no new connections; resolves when the open ones have been answered and closed. */
  drain(): Promise<void>;
}

// As nginx has it; Node's five seconds would cut the idle connections of pooled clients.
const KEEP_ALIVE_MS = 75_000;

const handlers = new WeakMap<Socket, HttpHandler>();
let shared: Server | undefined;

/** Serves HTTP on a port of the pod until it is disposed. Throws ERR_SYSCALL. */
export function serveHttp(
  { netns }: Pick<BuiltinContext, 'netns'>,
  address: ListenAddress,
  handler: HttpHandler,
): HttpListener {
  const listener = serveTcp(netns, address, (socket) => acceptHttp(socket, handler));
  return {
    [Symbol.dispose]: () => listener[Symbol.dispose](),
    drain: async () => {
      listener.stopAccepting();
      const open = [...listener.connections].map((socket) => {
        const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
        socket.end();
        return closed;
      });
      await Promise.all(open);
    },
  };
}

/** Speaks HTTP on a connection that was accepted elsewhere (TLS). */
export function acceptHttp(socket: Socket, handler: HttpHandler): void {
  handlers.set(socket, handler);
  sharedServer().emit('connection', socket);
}

// One protocol machine for the ports of all pods: a Server of their own would cost each a timer and several kilobytes.
function sharedServer(): Server {
  if (shared !== undefined) return shared;
  shared = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (message, response) => {
    const handler = handlers.get(message.socket);
    if (handler === undefined) message.socket.destroy();
    else void answer(handler, message, response);
  });
  return shared;
}

async function answer(handler: HttpHandler, message: IncomingMessage, response: ServerResponse): Promise<void> {
  const target = message.url?.startsWith('/') ? `http://pod${message.url}` : (message.url ?? '');
  const url = URL.canParse(target) ? new URL(target) : undefined;
  if (url === undefined) return void response.writeHead(400).end();
  try {
    await handler(
      { message, method: message.method ?? 'GET', path: decode(url.pathname), query: url.searchParams },
      response,
    );
  } catch (error) {
    if (!response.headersSent) response.writeHead(500);
    response.end(`${(error as Error).message}\n`);
  }
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** The body of a request, at most `limit` bytes of it. */
export async function readBody(message: IncomingMessage, limit = 16 * 1024 * 1024): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= limit) chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The headers as they came, names in the spelling of the client, `Host` included. */
export function headerPairs({ rawHeaders }: IncomingMessage): readonly (readonly [string, string])[] {
  return Array.from({ length: rawHeaders.length / 2 }, (_, i) => [
    rawHeaders[2 * i] ?? '',
    rawHeaders[2 * i + 1] ?? '',
  ]);
}
