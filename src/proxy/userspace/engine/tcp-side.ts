import { COUNTER } from '../counters.ts';
import {
  EAGAIN,
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLRDHUP,
  MSG_NOSIGNAL,
  SHUT_WR,
  SO_RCVLOWAT,
  SOL_SOCKET,
  SPLICE_F_MOVE,
  SPLICE_F_NONBLOCK,
} from './constants.ts';
import { ONE, type Task } from './engine.ts';
import type { Gatherer } from './gathering.ts';
import type { Pipe, PipeOwner } from './pipe-pool.ts';
import type { Handler } from './poller.ts';
import type { TcpConnection } from './tcp-connection.ts';

const ROUNDS_PER_TURN = 16;
/** A pipe is taken when so much comes at once... */
const BULK_BYTES = 64 * 1024;
/** ...and kept while it is at least so much, a rest aside. */
const LEAST_BULK_BYTES = 16 * 1024;
/** Once so much has come in one direction, and nothing in the other... */
const STEADY_BYTES = 64 * 1024 * 1024;
/** ...the kernel tells of so much at once: waking costs more than moving. */
const GATHERED = new Uint8Array(Int32Array.of(448 * 1024).buffer);
const SPLICE_FLAGS = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;

/**
 * One of the two sockets of a connection, and what was read from it but not written to the other yet. Events are told once
 * (edge triggered): it remembers whether there is more to read, and whether more can be written.
 */
export class TcpSide implements Handler, Task, PipeOwner, Gatherer {
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
  #inPipe = 0;
  #isGathering = false;
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

  get cameAt(): number {
    return this.#pipe?.cameAt ?? 0;
  }

  look(): void {
    this.readable = true;
    this.#move();
  }

  stopGathering(): void {
    this.#pipe!.steady = 0;
    if (!this.#isGathering) return;
    const { engine } = this.#connection;
    this.#isGathering = false;
    engine.gathering.delete(this);
    // The kernel tells at once of what is there already.
    engine.system.setsockopt(this.fd, SOL_SOCKET, SO_RCVLOWAT, ONE, ONE.length);
  }

  yieldPipe(): boolean {
    if (this.#inPipe > 0 || this.#pipe === undefined) return false;
    this.#givePipe();
    return true;
  }

  close(): void {
    const { engine } = this.#connection;
    if (this.#pipe !== undefined) {
      if (this.#isGathering) engine.gathering.delete(this);
      if (this.#inPipe > 0) engine.pipes.discard(this, this.#pipe);
      else engine.pipes.give(this, this.#pipe);
      this.#pipe = undefined;
    }
    this.#waiting = undefined;
    if (this.fd === -1) return;
    engine.close(this.fd);
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
      if (!this.readable || !(this.#pipe === undefined ? this.#copy() : this.#splice())) return;
    }
    engine.later(this);
  }

  // Writes what waits. False when something still does, or the connection is over.
  #flush(): boolean {
    if (this.#waiting === undefined && this.#inPipe === 0) return true;
    const peer = this.#peer;
    if (!peer.writable) return false;
    if (this.#waiting !== undefined) {
      const bytes = this.#waiting;
      this.#waiting = undefined;
      if (!this.#send(bytes, bytes.length)) return false;
    }
    return this.#inPipe === 0 || this.#drainPipe();
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

  #splice(): boolean {
    const { engine } = this.#connection;
    const pipe = this.#pipe!;
    const count = engine.system.splice(this.fd, null, pipe.write, null, pipe.capacity, SPLICE_FLAGS);
    if (count <= 0) return this.#nothingRead(count);
    this.#inPipe = count;
    pipe.cameAt = engine.now;
    pipe.steady += count;
    this.#interruptPeer();
    const before = pipe.last;
    pipe.last = count;
    if (!this.#drainPipe()) return false;
    if (count + before < LEAST_BULK_BYTES) this.#givePipe();
    else if (pipe.steady >= STEADY_BYTES && !this.#isGathering) this.#gather();
    return true;
  }

  #drainPipe(): boolean {
    const { engine } = this.#connection;
    const peer = this.#peer;
    const pipe = this.#pipe!;
    while (this.#inPipe > 0) {
      const count = engine.system.splice(pipe.read, null, peer.fd, null, this.#inPipe, SPLICE_FLAGS);
      if (count <= 0) return peer.#notWritten();
      this.#inPipe -= count;
      this.#count(count);
    }
    return true;
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
    if (this.#pipe !== undefined) this.#givePipe();
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

  #givePipe(): void {
    this.stopGathering();
    this.#connection.engine.pipes.give(this, this.#pipe!);
    this.#pipe = undefined;
  }

  // Who is answered may be waiting for the answer with the next bytes: these are not to wait for more.
  #interruptPeer(): void {
    const peer = this.#peer;
    if (peer.#pipe !== undefined) peer.stopGathering();
  }

  #gather(): void {
    const { engine } = this.#connection;
    this.#isGathering = true;
    engine.system.setsockopt(this.fd, SOL_SOCKET, SO_RCVLOWAT, GATHERED, GATHERED.length);
    engine.gathering.add(this);
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
