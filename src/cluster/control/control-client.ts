import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { UserError } from '../../errors/towtank-error.ts';
import { encodeFrame, FrameDecoder, fromWire } from './frames.ts';
import { CHANNEL, type ExecRequest, type ExecResult, type WireError } from './protocol.ts';

const { request } = process.getBuiltinModule('node:http');

/** The streams that an exec joins to the caller; an absent one is discarded. */
export interface ExecStreams {
  readonly stdin?: Readable | undefined;
  readonly stdout?: Writable | undefined;
  readonly stderr?: Writable | undefined;
  /** Called with a function that tells the other side the terminal's size. */
  readonly onResize?: ((send: (columns: number, rows: number) => void) => void) | undefined;
}

/** Speaks to the supervisor of a running cluster over the socket in its state folder. */
export class ControlClient {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** One request, JSON in and out. Rejects with the supervisor's error, or ERR_CLUSTER_NOT_FOUND when nobody listens. */
  call<T>(path: string, body?: unknown): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const outgoing = request(
      {
        socketPath: this.#socketPath,
        path,
        method: body === undefined ? 'GET' : 'POST',
        headers: { connection: 'close' },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8') || 'null');
          if (response.statusCode === 200) resolve(value as T);
          else reject(fromWire(value as WireError));
        });
      },
    );
    outgoing.on('error', (cause) => reject(this.#gone(cause)));
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    return promise;
  }

  /** The bytes of an answer that may be large. Rejects as `call`; ends with an error when the cluster goes away meanwhile. */
  async download(path: string): Promise<AsyncIterable<Buffer>> {
    const outgoing = request({ socketPath: this.#socketPath, path, headers: { connection: 'close' } });
    const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>;
    outgoing.end();
    const [response] = await answered.catch((cause: Error) => {
      throw this.#gone(cause);
    });
    if (response.statusCode === 200) return response;
    const chunks = (await response.toArray()) as Buffer[];
    throw fromWire(JSON.parse(Buffer.concat(chunks).toString()) as WireError);
  }

  /** Runs a command inside the cluster with the caller's streams; resolves with its exit code. */
  async exec(exec: ExecRequest, streams: ExecStreams): Promise<number> {
    const socket = connect(this.#socketPath);
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    socket.on('error', (cause) => reject(this.#gone(cause)));
    socket.on('close', () => reject(this.#gone(new Error('the connection closed before the command ended'))));
    this.#receive(socket, streams, (result) => {
      if ('error' in result) reject(fromWire(result.error));
      else resolve(result.exitCode);
      socket.end();
    });
    socket.write(`EXEC ${JSON.stringify(exec)}\n`);
    const send = (channel: number, payload: Uint8Array): boolean => socket.write(encodeFrame(channel, payload));
    if (streams.stdin && exec.stdin) this.#sendInput(socket, streams.stdin, send);
    streams.onResize?.((columns, rows) =>
      send(CHANNEL.resize, Buffer.from(JSON.stringify({ width: columns, height: rows }))),
    );
    return promise;
  }

  #sendInput(socket: Socket, stdin: Readable, send: (channel: number, payload: Uint8Array) => boolean): void {
    stdin.on('data', (chunk: Buffer | string) => {
      if (!send(CHANNEL.stdin, Buffer.from(chunk as Buffer))) stdin.pause();
    });
    socket.on('drain', () => stdin.resume());
    stdin.on('end', () => send(CHANNEL.stdinEnd, Buffer.of(CHANNEL.stdin)));
    socket.on('close', () => stdin.pause());
  }

  #receive(socket: Socket, streams: ExecStreams, onResult: (result: ExecResult) => void): void {
    const decoder = new FrameDecoder();
    socket.on('data', (chunk) => {
      for (const { channel, payload } of decoder.push(chunk)) {
        if (channel === CHANNEL.result) onResult(JSON.parse(payload.toString('utf8')) as ExecResult);
        else (channel === CHANNEL.stderr ? streams.stderr : streams.stdout)?.write(payload);
      }
    });
  }

  #gone(cause: Error): UserError {
    return new UserError({
      code: 'ERR_CLUSTER_NOT_FOUND',
      message: `the cluster does not answer at ${this.#socketPath}: ${cause.message}`,
      hint: 'towtank status shows what runs; towtank up starts a cluster',
      cause,
    });
  }
}
