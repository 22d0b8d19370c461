import { Duplex } from 'node:stream';
import type { SpdyHeaders } from './header-block.ts';

/** How a stream speaks to its session. */
export interface StreamTransport {
  send(stream: number, data: Buffer, fin: boolean, callback: (error?: Error | null) => void): void;
  reset(stream: number): void;
  /** The reader wants more: the session may read on. */
  wanted(): void;
  closed(stream: number): void;
}

/** One stream of a SPDY session that the client opened. */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: SpdyHeaders;
  readonly #transport: StreamTransport;

  constructor(id: number, headers: SpdyHeaders, transport: StreamTransport) {
    super({ allowHalfOpen: true });
    this.id = id;
    this.headers = headers;
    this.#transport = transport;
    // A reset is no crash: who reads or writes sees the end.
    this.on('error', () => {});
  }

  override _read(): void {
    this.#transport.wanted();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#transport.send(this.id, chunk, false, callback);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#transport.send(this.id, Buffer.alloc(0), true, callback);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (!this.readableEnded || !this.writableFinished) this.#transport.reset(this.id);
    this.#transport.closed(this.id);
    callback(error);
  }
}
