import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  constants,
  type IncomingHttpHeaders,
} from 'node:http2';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls, type SecureContextOptions } from 'node:tls';
import type { Clock } from '../../kube/clock.ts';
import { GRPC, GrpcError, grpcError } from './grpc-error.ts';
import { encodeMessageFrame, MessageFrames } from './message-frames.ts';

/** Opens a connection to a host and port; it may still be connecting when it is returned. */
export type Dial = (host: string, port: number) => Duplex;

export interface ChannelOptions {
  /** `http://HOST:PORT` or `https://HOST:PORT`. */
  readonly endpoint: URL;
  readonly dial: Dial;
  /** PEM; for https only. */
  readonly tls: Pick<SecureContextOptions, 'ca' | 'cert' | 'key'>;
  readonly clock: Clock;
}

export interface CallOptions {
  /** Sent as metadata. */
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

export interface StreamHandlers {
  readonly onMessage: (message: Buffer) => void;
  /** Called once, unless the caller closed the stream. */
  readonly onEnd: (error: GrpcError) => void;
}

const CONNECT_TIMEOUT_MS = 3000;
// etcd ends connections that ping more often than every 5 s.
const PING_INTERVAL_MS = 6000;
const PING_TIMEOUT_MS = 4000;
const WINDOW = 16 << 20;

/** One HTTP/2 connection to one member, over which calls and streams run side by side. */
export class GrpcChannel implements Disposable {
  readonly endpoint: URL;
  readonly #session: ClientHttp2Session;
  readonly #clock: Clock;
  readonly #running = new Set<(error: GrpcError) => void>();
  #ping: Disposable | undefined;

  private constructor(session: ClientHttp2Session, socket: Duplex, { endpoint, clock }: ChannelOptions) {
    this.endpoint = endpoint;
    this.#session = session;
    this.#clock = clock;
    // A session whose TLS fails is destroyed without a word, and so are its streams.
    const end = (cause?: Error): void => {
      session.destroy();
      for (const onEnd of [...this.#running]) onEnd(connectionLost(true, cause));
    };
    socket.on('error', end);
    socket.on('close', () => end());
    this.#schedulePing();
  }

  /** Resolves when the connection stands. Rejects with GrpcError, nothing uncertain. */
  static async open(options: ChannelOptions): Promise<GrpcChannel> {
    const { endpoint, clock } = options;
    const socket = openSocket(options);
    const session = connectHttp2(endpoint, {
      createConnection: () => socket,
      settings: { initialWindowSize: WINDOW, enablePush: false },
    });
    const late = clock.schedule(CONNECT_TIMEOUT_MS, () => session.destroy(new Error('no connection in time')));
    try {
      // etcd sends its settings first, so that a server that speaks no HTTP/2 is known before anything is asked of it.
      await settingsOf(session, socket);
    } catch (cause) {
      session.destroy();
      // OpenSSL's messages are lines of its source; its reasons are for people.
      const { reason, message } = cause as Error & { readonly reason?: string };
      throw new GrpcError(GRPC.unavailable, `${endpoint.host}: ${reason ?? message}`, {
        uncertain: false,
        cause,
      });
    } finally {
      late[Symbol.dispose]();
    }
    session.on('error', () => session.destroy());
    session.setLocalWindowSize(WINDOW);
    return new GrpcChannel(session, socket, options);
  }

  get isOpen(): boolean {
    return !this.#session.closed && !this.#session.destroyed;
  }

  /** One request, one answer. Rejects with GrpcError. */
  call(path: string, request: Uint8Array, options: CallOptions): Promise<Buffer> {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    let answer: Buffer | undefined;
    const stream = this.#start(path, options, {
      onMessage: (message) => {
        answer = message;
      },
      onEnd: (error) => {
        timer[Symbol.dispose]();
        if (error.grpcCode === GRPC.ok && answer !== undefined) resolve(answer);
        else reject(error);
      },
    });
    const timer = this.#clock.schedule(options.timeoutMs, () => {
      stream?.close(constants.NGHTTP2_CANCEL);
      reject(new GrpcError(GRPC.deadlineExceeded, `no answer within ${options.timeoutMs} ms`, { uncertain: true }));
    });
    stream?.end(encodeMessageFrame(request));
    return promise;
  }

  /** A stream that begins with one request and stays open. */
  stream(path: string, request: Uint8Array, options: Pick<CallOptions, 'headers'> & StreamHandlers): Disposable {
    let closed = false;
    const stream = this.#start(path, options, {
      onMessage: (message) => {
        if (!closed) options.onMessage(message);
      },
      onEnd: (error) => {
        if (!closed) options.onEnd(error);
      },
    });
    stream?.write(encodeMessageFrame(request));
    return {
      [Symbol.dispose]: () => {
        closed = true;
        stream?.close(constants.NGHTTP2_CANCEL);
      },
    };
  }

  [Symbol.dispose](): void {
    this.#ping?.[Symbol.dispose]();
    this.#session.destroy();
  }

  #start(
    path: string,
    { headers }: Pick<CallOptions, 'headers'>,
    handlers: StreamHandlers,
  ): ClientHttp2Stream | undefined {
    if (!this.isOpen) {
      queueMicrotask(() => handlers.onEnd(connectionLost(false)));
      return undefined;
    }
    const stream = this.#session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    // Told once, by the stream or by the end of its connection.
    const onEnd = (error: GrpcError): void => {
      if (this.#running.delete(onEnd)) handlers.onEnd(error);
    };
    this.#running.add(onEnd);
    receive(stream, { ...handlers, onEnd });
    return stream;
  }

  // A member that went away without a word would leave its watches silent for ever.
  #schedulePing(): void {
    this.#ping = this.#clock.schedule(PING_INTERVAL_MS, () => {
      if (!this.isOpen) return;
      const late = this.#clock.schedule(PING_TIMEOUT_MS, () => this.#session.destroy());
      this.#ping = late;
      this.#session.ping((error) => {
        late[Symbol.dispose]();
        if (error) this.#session.destroy();
        else this.#schedulePing();
      });
    });
  }
}

function settingsOf(session: ClientHttp2Session, socket: Duplex): Promise<void> {
  return new Promise((resolve, reject) => {
    session.once('remoteSettings', () => resolve());
    for (const end of [session, socket]) {
      end.once('error', reject);
      end.once('close', () => reject(new Error('the connection was closed at once')));
    }
  });
}

function openSocket({ endpoint, dial, tls }: ChannelOptions): Duplex {
  const host = endpoint.hostname.replace(/^\[|\]$/g, '');
  const isTls = endpoint.protocol === 'https:';
  const socket = dial(host, Number(endpoint.port || (isTls ? 443 : 80)));
  if (!isTls) return socket;
  const name = isIP(host) ? {} : { servername: host };
  const secure = connectTls({ socket, host, ...name, ...tls, ALPNProtocols: ['h2'] });
  socket.on('error', (error) => secure.destroy(error));
  return secure;
}

function receive(stream: ClientHttp2Stream, { onMessage, onEnd }: StreamHandlers): void {
  const frames = new MessageFrames();
  let status: GrpcError | undefined;
  let failure: Error | undefined;
  const readStatus = (headers: IncomingHttpHeaders): void => {
    const code = headers['grpc-status'];
    if (code !== undefined) status = grpcError(Number(code), messageText(headers['grpc-message']));
    else if (headers[':status'] !== undefined && Number(headers[':status']) !== 200)
      status = grpcError(GRPC.unknown, `HTTP status ${headers[':status']}`);
  };
  stream.on('response', readStatus);
  stream.on('trailers', readStatus);
  stream.on('data', (chunk: Buffer) => {
    try {
      for (const message of frames.push(chunk)) onMessage(message);
    } catch (error) {
      stream.destroy(error as Error);
    }
  });
  stream.on('error', (error) => {
    failure = error;
  });
  stream.on('close', () =>
    onEnd(status ?? connectionLost(stream.rstCode !== constants.NGHTTP2_REFUSED_STREAM, failure)),
  );
}

// Percent-encoded, unless somebody in between wrote it.
function messageText(header: string | string[] | undefined): string {
  const text = String(header ?? '');
  return /%(?![0-9A-Fa-f]{2})/.test(text) ? text : decodeURIComponent(text);
}

function connectionLost(uncertain: boolean, cause?: Error): GrpcError {
  const reason = cause === undefined ? '' : `: ${cause.message}`;
  return new GrpcError(GRPC.unavailable, `the connection was lost${reason}`, { uncertain, cause });
}
