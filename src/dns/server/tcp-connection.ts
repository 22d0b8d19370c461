import type { Socket } from 'node:net';
import type { Clock } from '../../kube/clock.ts';
import type { Client } from './dns-request.ts';
import type { QueryServer } from './query-server.ts';

/** Bounds of TCP service; the times are CoreDNS's. */
export interface TcpLimits {
  /** Milliseconds until the first whole query must have come. */
  readonly firstQuery: number;
  /** Milliseconds that a connection may be idle. */
  readonly idle: number;
  /** Queries of one connection that may wait for an answer before it is read on. */
  readonly pipelined: number;
  /** Connections of one client address, and of all. */
  readonly perClient: number;
  readonly total: number;
}

export const defaultTcpLimits: TcpLimits = {
  firstQuery: 3000,
  idle: 10_000,
  pipelined: 100,
  perClient: 200,
  total: 4000,
};

const LARGEST = 0xffff;
/** Bytes of replies that a client may leave unread before its queries are read on. */
const UNSENT_LIMIT = 0x40000;
let space: { readonly bytes: Buffer; readonly at: number } | undefined;

/** One client's TCP connection: frames of two length bytes and a message, any number of them under way. */
export class TcpConnection {
  readonly #socket: Socket;
  readonly #server: QueryServer;
  readonly #limits: TcpLimits;
  readonly #clock: Clock;
  readonly #client: Client;
  #pending: Buffer = Buffer.alloc(0);
  #running = 0;
  #ended = false;
  /** When the last query came or was answered; undefined before the first. */
  #lastUsed: number | undefined;
  #timer: Disposable;

  constructor(socket: Socket, server: QueryServer, { limits, clock }: { limits: TcpLimits; clock: Clock }) {
    this.#socket = socket;
    this.#server = server;
    this.#limits = limits;
    this.#clock = clock;
    this.#client = {
      address: plainAddress(socket.remoteAddress ?? ''),
      port: socket.remotePort ?? 0,
      transport: 'tcp',
    };
    this.#timer = clock.schedule(limits.firstQuery, () => this.#socket.destroy());
    socket.on('data', (chunk) => this.#onData(chunk));
    socket.on('drain', () => this.#readOn());
    socket.on('end', () => this.#onEnd());
    // A client that goes away mid-answer is no fault of ours: the close event tidies up.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#timer[Symbol.dispose]());
  }

  #onData(chunk: Buffer): void {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    this.#readFrames();
  }

  #readFrames(): void {
    // What is written may be sent at once, which makes room again.
    while (!this.#isFull() && this.#frameEnd(0) > 0) {
      this.#socket.cork();
      let at = 0;
      for (let end = this.#frameEnd(0); end > 0 && !this.#isFull(); end = this.#frameEnd(at)) {
        this.#onQuery(this.#pending.subarray(at + 2, end));
        at = end;
      }
      this.#pending = this.#pending.subarray(at);
      this.#socket.uncork();
    }
    if (this.#isFull()) this.#socket.pause();
    this.#endWhenDone();
  }

  // Where the frame that starts at `at` ends; 0 when it is not whole.
  #frameEnd(at: number): number {
    if (at + 2 > this.#pending.length) return 0;
    const end = at + 2 + this.#pending.readUInt16BE(at);
    return end > this.#pending.length ? 0 : end;
  }

  #readOn(): void {
    if (this.#socket.isPaused()) this.#socket.resume();
    this.#readFrames();
  }

  #isFull(): boolean {
    return this.#running >= this.#limits.pipelined || this.#socket.writableLength >= UNSENT_LIMIT;
  }

  #onQuery(packet: Buffer): void {
    this.#touch();
    space ??= { bytes: Buffer.allocUnsafeSlow(LARGEST), at: 0 };
    const ipv6 = this.#client.address.includes(':');
    const length = this.#server.answerFast(packet, space, { tcp: true, ipv6 });
    if (length > 0) {
      this.#send(space.bytes.subarray(0, length));
      return;
    }
    // What is answered later must not see the buffer change under it.
    const answered = this.#server.answer(Buffer.from(packet), this.#client, (message) => this.#send(message));
    if (answered === undefined) return;
    this.#running++;
    void answered.then(() => {
      this.#running--;
      this.#touch();
      this.#readOn();
    });
  }

  #send(message: Uint8Array): void {
    if (this.#socket.destroyed || !this.#socket.writable) return;
    const frame = Buffer.allocUnsafe(message.length + 2);
    frame.writeUInt16BE(message.length, 0);
    frame.set(message, 2);
    this.#socket.write(frame);
  }

  #onEnd(): void {
    this.#ended = true;
    this.#endWhenDone();
  }

  #endWhenDone(): void {
    if (this.#ended && this.#running === 0 && this.#frameEnd(0) === 0) this.#socket.end();
  }

  #touch(): void {
    const first = this.#lastUsed === undefined;
    this.#lastUsed = this.#clock.now();
    if (!first) return;
    this.#timer[Symbol.dispose]();
    this.#watchIdle(this.#limits.idle);
  }

  // The timer looks when it fires: setting it anew for each query would cost more than the query.
  #watchIdle(ms: number): void {
    this.#timer = this.#clock.schedule(ms, () => {
      const left = (this.#lastUsed ?? 0) + this.#limits.idle - this.#clock.now();
      if (left > 0) this.#watchIdle(left);
      else if (this.#running > 0) this.#watchIdle(this.#limits.idle);
      else this.#socket.destroy();
    });
  }
}

/** An IPv4 client of a dual-stack socket is given as IPv4. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}
