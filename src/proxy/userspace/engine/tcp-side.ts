import { COUNTER } from '../counters.ts';
import { EAGAIN, EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP, MSG_NOSIGNAL, SHUT_WR } from './constants.ts';
import type { Task } from './engine.ts';
import type { Pipe, PipeUser } from './pipe.ts';
import type { Handler } from './poller.ts';
import type { TcpConnection } from './tcp-connection.ts';

const ROUNDS_PER_TURN = 16;
/** A pipe is taken when so much comes at once. */
const BULK_BYTES = 64 * 1024;

/**
 * One of the two sockets of a connection, and what was read from it but not written to the other yet. Events are told once
 * (edge triggered): it remembers whether there is more to read, and whether more can be written.
 */
export class TcpSide implements Handler, Task, PipeUser {
  fd: number;
  readable = false;
  writable = false;
  readonly #connection: TcpConnection;
  /** The other side has closed its half, or all: reading goes on to the end. */
  #hungUp = false;
  /** The end was read. */
  #ended = false;
  /** The end was passed on to the peer. */
  #endPassed = false;
  #waiting: Uint8Array | undefined;
  #pipe: Pipe | undefined;
  #writes = 0;

  constructor(connection: TcpConnection, fd: number) {
    this.#connection = connection;
    this.fd = fd;
  }

  onEvents(events: number): void {
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) !== 0) this.#hungUp = true;
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) !== 0) this.readable = true;
    const peer = this.#peer;
    if ((events & EPOLLOUT) !== 0 && !this.writable) {
      this.writable = true;
      peer.#move();
      if (this.fd === -1) return;
    }
    if (this.readable) this.#move();
  }

  resume(): void {
    if (this.fd !== -1) this.#move();
  }

  /** Puts bytes in front of what will be read. */
  prepend(bytes: Uint8Array): void {
    this.#waiting = bytes;
  }

  look(): void {
    this.readable = true;
    this.#move();
  }

  givePipe(): void {
    this.#connection.engine.pipes.give(this.#pipe!);
    this.#pipe = undefined;
  }

  close(): void {
    if (this.#pipe !== undefined) this.givePipe();
    this.#waiting = undefined;
    if (this.fd === -1) return;
    this.#connection.engine.close(this.fd);
    this.fd = -1;
  }

  get #peer(): TcpSide {
    const { client, endpoint } = this.#connection;
    return this === client ? endpoint : client;
  }

  // Moves what there is from here to the peer until one of the two has enough, or others want a turn.
  #move(): void {
    const { engine } = this.#connection;
    for (let round = 0; round < ROUNDS_PER_TURN; round++) {
      if (!this.#flush()) return;
      if (this.#ended) {
        this.#passEnd();
        return;
      }
      if (!this.readable || !(this.#pipe === undefined ? this.#copy() : this.#splice(this.#pipe))) return;
    }
    engine.later(this);
  }

  // Writes what waits. False when something still does, or the connection is over.
  #flush(): boolean {
    const pipe = this.#pipe;
    const isPipeEmpty = pipe === undefined || pipe.held === 0;
    if (this.#waiting === undefined && isPipeEmpty) return true;
    if (!this.#peer.writable) return false;
    if (this.#waiting !== undefined) {
      const bytes = this.#waiting;
      this.#waiting = undefined;
      if (!this.#send(bytes, bytes.length)) return false;
    }
    return isPipeEmpty || this.#drain(pipe);
  }

  // Reads once into the shared buffer and writes it. False when there is no more, or the connection is over.
  #copy(): boolean {
    const { engine } = this.#connection;
    const { system, buffer } = engine;
    const count = system.recv(this.fd, buffer, buffer.length, 0);
    if (count <= 0) return this.#nothingRead(count);
    this.#interruptPeer();
    // Less than there is room for: the socket is empty, and says when that changes. Only an end it says but once.
    if (count < buffer.length) this.readable = this.#hungUp;
    if (count >= BULK_BYTES) this.#takePipe();
    return this.#send(buffer, count) && this.readable;
  }

  #splice(pipe: Pipe): boolean {
    const count = pipe.fill();
    if (count <= 0) return this.#nothingRead(count);
    this.#interruptPeer();
    if (!this.#drain(pipe)) return false;
    if (pipe.isWorthwhile) pipe.gatherWhenSteady();
    else this.givePipe();
    return true;
  }

  #drain(pipe: Pipe): boolean {
    const peer = this.#peer;
    const count = pipe.drain(peer.fd);
    if (count > 0) this.#count(count);
    return pipe.held === 0 || peer.#notWritten();
  }

  // False when not all could be written: the rest waits.
  #send(bytes: Uint8Array, length: number): boolean {
    const { engine } = this.#connection;
    const peer = this.#peer;
    peer.#beforeWrite();
    const count = engine.system.send(peer.fd, bytes, length, MSG_NOSIGNAL);
    if (count === length) {
      this.#count(count);
      return true;
    }
    if (count < 0 && !peer.#isBlocked()) return false;
    const sent = Math.max(count, 0);
    this.#count(sent);
    peer.writable = false;
    this.#waiting = Uint8Array.prototype.slice.call(bytes, sent, length);
    return false;
  }

  // What is written first leaves at once whatever the options are: connections of one request are spared the calls. Accepted
  // sockets have the options from their listener.
  #beforeWrite(): void {
    if (this.#writes < 2 && ++this.#writes === 2) this.#hasten();
  }

  #nothingRead(count: number): boolean {
    if (count === 0) {
      this.#ended = true;
      return true;
    }
    if (this.#connection.engine.system.errno() !== EAGAIN) {
      this.#failed();
      return false;
    }
    this.readable = false;
    return false;
  }

  #notWritten(): boolean {
    if (this.#isBlocked()) this.writable = false;
    return false;
  }

  // True when a write failed for want of room only; otherwise the connection is over.
  #isBlocked(): boolean {
    if (this.#connection.engine.system.errno() === EAGAIN) return true;
    this.#failed();
    return false;
  }

  #failed(): void {
    const isClient = this === this.#connection.client;
    this.#connection.reset(isClient ? COUNTER.resetByClient : COUNTER.resetByEndpoint);
  }

  #passEnd(): void {
    if (this.#endPassed) return;
    this.#endPassed = true;
    const peer = this.#peer;
    if (peer.#endPassed) {
      this.#connection.finish();
      return;
    }
    if (this.#pipe !== undefined) this.givePipe();
    this.#connection.engine.system.shutdown(peer.fd, SHUT_WR);
  }

  #hasten(): void {
    const { endpoint, engine } = this.#connection;
    this.#writes = 2;
    if (this === endpoint) engine.hasten(this.fd);
  }

  #takePipe(): void {
    const peer = this.#peer;
    if (peer.#writes < 2) peer.#hasten();
    this.#pipe = this.#connection.engine.pipes.take(this);
  }

  // Who is answered may be waiting for the answer with the next bytes: these are not to wait for more.
  #interruptPeer(): void {
    this.#peer.#pipe?.stopGathering();
  }

  #count(bytes: number): void {
    const connection = this.#connection;
    const { counters } = connection.listener.opened;
    connection.lastAt = connection.engine.now;
    if (this === connection.client) {
      connection.bytesIn += bytes;
      counters[COUNTER.bytesIn]! += bytes;
    } else {
      connection.bytesOut += bytes;
      counters[COUNTER.bytesOut]! += bytes;
    }
  }
}
