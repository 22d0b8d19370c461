import { ONE, SO_RCVLOWAT, SOL_SOCKET, SPLICE_F_MOVE, SPLICE_F_NONBLOCK } from './constants.ts';
import type { Engine } from './engine.ts';

/** One direction of a connection, while its bytes go through a pipe. */
export interface PipeUser {
  /** The socket that is read. */
  readonly fd: number;
  /** Moves what is there, though it be less than is waited for. */
  look(): void;
  /** Goes on without its pipe, in which nothing is. */
  givePipe(): void;
}

/** The descriptors of a pipe, and how many bytes it takes. */
export interface PipeEnds {
  readonly read: number;
  readonly write: number;
  readonly capacity: number;
}

/** A pipe is worth its calls while at least so much comes at once, a rest aside. */
const LEAST_BULK_BYTES = 16 * 1024;
/** Once so much has come in one direction, and nothing in the other... */
const STEADY_BYTES = 64 * 1024 * 1024;
/** ...the kernel tells of so much at once: waking costs more than moving. */
const GATHERED = new Uint8Array(Int32Array.of(448 * 1024).buffer);
const SPLICE_FLAGS = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;

/** A pipe that bytes pass through from one socket to another without being copied, and what it learns of their flow. */
export class Pipe {
  readonly ends: PipeEnds;
  /** Bytes that were read and not written yet. */
  held = 0;
  /** Millisecond in which something last came. */
  cameAt = 0;
  readonly #engine: Engine;
  #user: PipeUser | undefined;
  /** Bytes that came since the last pause, or since something went the other way. */
  #steady = 0;
  #last = 0;
  #beforeLast = 0;
  #isGathering = false;

  constructor(engine: Engine, ends: PipeEnds) {
    this.#engine = engine;
    this.ends = ends;
  }

  /** False when so little comes that copying costs less. */
  get isWorthwhile(): boolean {
    return this.#last + this.#beforeLast >= LEAST_BULK_BYTES;
  }

  /** Serves somebody from now on, and is given the benefit of the doubt. */
  lend(user: PipeUser): void {
    this.#user = user;
    this.#steady = 0;
    this.#last = this.ends.capacity;
  }

  /** Serves nobody any more. */
  return(): void {
    this.stopGathering();
    this.#user = undefined;
  }

  /** Has its user give it back; false when there is something in it. */
  reclaim(): boolean {
    if (this.held > 0) return false;
    this.#user!.givePipe();
    return true;
  }

  /** Reads once, when it is empty: how many bytes came, 0 at the end, and -1 with `errno` on failure. */
  fill(): number {
    const { ends } = this;
    const engine = this.#engine;
    const count = engine.system.splice(this.#user!.fd, null, ends.write, null, ends.capacity, SPLICE_FLAGS);
    if (count <= 0) return count;
    this.held = count;
    this.cameAt = engine.now;
    this.#steady += count;
    this.#beforeLast = this.#last;
    this.#last = count;
    return count;
  }

  /** Writes to a socket, and tells how many bytes. What is held then did not go: `errno` says why. */
  drain(fd: number): number {
    const { system } = this.#engine;
    const before = this.held;
    while (this.held > 0) {
      const count = system.splice(this.ends.read, null, fd, null, this.held, SPLICE_FLAGS);
      if (count <= 0) break;
      this.held -= count;
    }
    return before - this.held;
  }

  /** Has the kernel tell only of much at once, if much has come for long. */
  gatherWhenSteady(): void {
    if (this.#steady < STEADY_BYTES || this.#isGathering) return;
    this.#isGathering = true;
    this.#setLowMark(GATHERED);
    this.#engine.gathering.add(this);
  }

  /** Moves what came meanwhile. */
  look(): void {
    this.#user!.look();
  }

  /** Has the kernel tell of everything, until much has come for long again. */
  stopGathering(): void {
    this.#steady = 0;
    if (!this.#isGathering) return;
    this.#isGathering = false;
    this.#engine.gathering.delete(this);
    // The kernel tells at once of what is there already.
    this.#setLowMark(ONE);
  }

  #setLowMark(bytes: Uint8Array): void {
    this.#engine.system.setsockopt(this.#user!.fd, SOL_SOCKET, SO_RCVLOWAT, bytes, bytes.length);
  }
}
