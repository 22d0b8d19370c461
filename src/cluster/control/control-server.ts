import { rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { PassThrough, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ExecOptions, TerminalSize } from '../../kube/kubelet-connection.ts';
import { encodeFrame, FrameDecoder, toWire } from './frames.ts';
import { CHANNEL, type ExecRequest, type ExecResult } from './protocol.ts';

const { createServer: createHttpServer } = process.getBuiltinModule('node:http');

/** What the control socket offers: JSON calls by path, and exec with streams. */
export interface ControlHandlers {
  readonly calls: Readonly<Record<string, (body: unknown) => Promise<unknown>>>;
  /** Bytes by path, that are made as they are sent. */
  readonly downloads: Readonly<Record<string, () => Promise<AsyncIterable<Uint8Array>>>>;
  exec(request: ExecRequest, options: ExecOptions): Promise<{ readonly exitCode: number }>;
}

const EXEC_PREFIX = Buffer.from('EXEC ');
const LONGEST_BODY = 64 * 1024 * 1024;

/** Listens on a socket in the state folder (its folder's mode 0700 is the access control); resolves when it listens. */
export async function listenControl(socketPath: string, handlers: ControlHandlers): Promise<AsyncDisposable> {
  const http = createHttpServer((incoming, response) => void answer(incoming, response, handlers));
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // A client that went away is its own affair; the exec it had is ended by the close event.
    socket.on('error', () => socket.destroy());
    socket.once('data', (first) => {
      socket.pause();
      socket.unshift(first);
      if (first.subarray(0, EXEC_PREFIX.length).equals(EXEC_PREFIX)) serveExec(socket, handlers);
      else http.emit('connection', socket);
      socket.resume();
    });
  });
  rmSync(socketPath, { force: true });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(socketPath, resolve);
  await promise;
  return {
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
      rmSync(socketPath, { force: true });
    },
  };
}

async function answer(incoming: IncomingMessage, response: ServerResponse, handlers: ControlHandlers): Promise<void> {
  const reply = (status: number, value: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value ?? null));
  };
  try {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of incoming as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > LONGEST_BODY) return reply(413, toWire(new Error(`the request is larger than ${LONGEST_BODY} bytes`)));
      chunks.push(chunk);
    }
    const download = handlers.downloads[incoming.url ?? ''];
    if (download !== undefined) return await send(response, await download());
    const call = handlers.calls[incoming.url ?? ''];
    if (call === undefined) return reply(404, toWire(new Error(`no such call: ${incoming.url}`)));
    reply(200, await call(size === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString('utf8'))));
  } catch (error) {
    reply(500, toWire(error));
  }
}

// An end that comes too early is seen by the client, and what it got has a checksum.
async function send(response: ServerResponse, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/octet-stream' });
  await pipeline(bytes, response).catch(() => response.destroy());
}

function serveExec(socket: Socket, handlers: ControlHandlers): void {
  let head = Buffer.alloc(0) as Buffer;
  const onHead = (chunk: Buffer): void => {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf(10);
    if (end === -1) return;
    socket.off('data', onHead);
    const request = JSON.parse(head.subarray(EXEC_PREFIX.length, end).toString('utf8')) as ExecRequest;
    void runExec(socket, request, head.subarray(end + 1), handlers);
  };
  socket.on('data', onHead);
}

async function runExec(socket: Socket, request: ExecRequest, rest: Buffer, handlers: ControlHandlers): Promise<void> {
  const stdin = new PassThrough();
  const resize = new ResizeEvents();
  const gone = new AbortController();
  const decoder = new FrameDecoder();
  const take = (chunk: Buffer): void => {
    for (const { channel, payload } of decoder.push(chunk)) {
      if (channel === CHANNEL.stdin && !stdin.write(payload)) {
        socket.pause();
        stdin.once('drain', () => socket.resume());
      } else if (channel === CHANNEL.stdinEnd) stdin.end();
      else if (channel === CHANNEL.resize) resize.push(JSON.parse(payload.toString('utf8')) as TerminalSize);
    }
  };
  take(rest);
  socket.on('data', take);
  socket.on('close', () => {
    gone.abort();
    stdin.end();
    resize.end();
  });
  const output = (channel: number): Writable =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        if (socket.destroyed || socket.write(encodeFrame(channel, chunk))) done();
        else socket.once('drain', () => done());
      },
    });
  let result: ExecResult;
  try {
    result = await handlers.exec(request, {
      command: request.command,
      tty: request.tty,
      stdin: request.stdin ? stdin : undefined,
      stdout: output(CHANNEL.stdout),
      stderr: output(CHANNEL.stderr),
      resize: request.tty ? resize : undefined,
      signal: gone.signal,
    });
  } catch (error) {
    result = { error: toWire(error) };
  }
  if (!socket.destroyed) socket.end(encodeFrame(CHANNEL.result, Buffer.from(JSON.stringify(result))));
}

/** Terminal sizes as they arrive; only the newest waits. */
class ResizeEvents implements AsyncIterable<TerminalSize> {
  #latest: TerminalSize | undefined;
  #wake: (() => void) | undefined;
  #ended = false;

  push(size: TerminalSize): void {
    this.#latest = size;
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<TerminalSize> {
    for (;;) {
      if (this.#latest !== undefined) {
        const size = this.#latest;
        this.#latest = undefined;
        yield size;
      } else if (this.#ended) return;
      else {
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#wake = resolve;
        await promise;
      }
    }
  }
}
