import type { Duplex } from 'node:stream';
import { controlFrame, dataHead, FLAG_FIN, type Frame, FrameReader, frameType, uint32s } from './frames.ts';
import { HeaderReader, HeaderWriter, type SpdyHeaders } from './header-block.ts';
import { SpdyStream } from './spdy-stream.ts';

const STATUS_CANCEL = 5;
const MAX_STREAMS = 1024;
const MAX_WAITING = 1024 * 1024;

export interface SpdySessionHooks {
  /** A stream that the client opened, already answered. */
  readonly onStream: (stream: SpdyStream) => void;
  /** Called once, when the connection is gone. */
  readonly onClose: () => void;
}

/**
 * The server's end of SPDY/3.1, as Kubernetes clients speak it: only clients open streams, and nobody sends window
 * updates, so flow is controlled by the connection alone.
 */
export class SpdySession {
  readonly #socket: Duplex;
  readonly #hooks: SpdySessionHooks;
  readonly #frames = new FrameReader();
  readonly #reader = new HeaderReader();
  readonly #writer = new HeaderWriter();
  readonly #streams = new Map<number, SpdyStream>();
  #work: Promise<void> = Promise.resolve();
  #waiting = 0;
  #closed = false;

  constructor(socket: Duplex, hooks: SpdySessionHooks) {
    this.#socket = socket;
    this.#hooks = hooks;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('end', () => this.close());
    socket.on('close', () => this.close());
    socket.on('error', () => this.close());
  }

  /** Ends the connection; open streams are destroyed. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const stream of this.#streams.values()) {
      stream.push(null);
      stream.destroy();
    }
    this.#reader.close();
    this.#socket.end();
    this.#hooks.onClose();
  }

  // Header blocks are inflated asynchronously and must be read in order, so frames wait for each other.
  #receive(chunk: Buffer): void {
    this.#waiting += chunk.length;
    if (this.#waiting > MAX_WAITING) this.#socket.pause();
    this.#work = this.#work
      .then(async () => {
        for (const frame of this.#frames.read(chunk)) await this.#handle(frame);
        this.#waiting -= chunk.length;
        this.#resume();
      })
      .catch(() => this.#fail());
  }

  #fail(): void {
    this.#socket.destroy();
    this.close();
  }

  #resume(): void {
    if (this.#waiting > MAX_WAITING) return;
    for (const stream of this.#streams.values()) {
      if (stream.readableLength > MAX_WAITING) {
        this.#socket.pause();
        return;
      }
    }
    this.#socket.resume();
  }

  #handle(frame: Frame): Promise<void> | undefined {
    if (frame.type === 'data') {
      const stream = this.#streams.get(frame.stream);
      if (stream === undefined || stream.readableEnded) return undefined;
      if (frame.data.length > 0) stream.push(frame.data);
      if (frame.fin) stream.push(null);
      return undefined;
    }
    const { control, flags, data } = frame;
    switch (control) {
      case frameType.synStream:
        return this.#open(data, (flags & FLAG_FIN) !== 0);
      case frameType.headers:
        return this.#reader.decode(data.subarray(4)).then(() => undefined);
      case frameType.rstStream:
        this.#streams.get(data.readUInt32BE(0))?.destroy();
        return undefined;
      case frameType.ping:
        if (data.readUInt32BE(0) % 2 === 1) this.#socket.write(controlFrame(frameType.ping, 0, data));
        return undefined;
      case frameType.goAway:
      case frameType.settings:
      case frameType.windowUpdate:
        return undefined;
      default:
        throw new RangeError(`frame type ${control} is unknown`);
    }
  }

  async #open(data: Buffer, fin: boolean): Promise<void> {
    const id = data.readUInt32BE(0) & 0x7fffffff;
    const headers: SpdyHeaders = await this.#reader.decode(data.subarray(10));
    if (this.#closed) return;
    if (id % 2 === 0 || this.#streams.has(id) || this.#streams.size >= MAX_STREAMS) {
      this.#socket.write(controlFrame(frameType.rstStream, 0, uint32s(id, STATUS_CANCEL)));
      return;
    }
    const stream = new SpdyStream(id, headers, {
      send: (stream, chunk, end, callback) => this.#send(stream, chunk, end, callback),
      reset: (stream) => this.#reset(stream),
      wanted: () => this.#resume(),
      closed: (stream) => void this.#streams.delete(stream),
    });
    this.#streams.set(id, stream);
    this.#socket.write(controlFrame(frameType.synReply, 0, uint32s(id), this.#writer.encode({})));
    if (fin) stream.push(null);
    this.#hooks.onStream(stream);
  }

  #send(stream: number, chunk: Buffer, fin: boolean, callback: (error?: Error | null) => void): void {
    if (this.#closed) {
      callback(new Error('the connection is closed'));
      return;
    }
    this.#socket.cork();
    this.#socket.write(dataHead(stream, chunk.length, fin));
    const flowing = chunk.length === 0 || this.#socket.write(chunk);
    this.#socket.uncork();
    if (flowing) callback();
    else this.#afterDrain(callback);
  }

  #afterDrain(callback: (error?: Error | null) => void): void {
    const done = (): void => {
      this.#socket.off('drain', done);
      this.#socket.off('close', done);
      callback(this.#closed ? new Error('the connection is closed') : null);
    };
    this.#socket.on('drain', done);
    this.#socket.on('close', done);
  }

  #reset(stream: number): void {
    if (!this.#closed) this.#socket.write(controlFrame(frameType.rstStream, 0, uint32s(stream, STATUS_CANCEL)));
  }
}
