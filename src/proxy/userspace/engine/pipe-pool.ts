import { F_SETPIPE_SZ, O_CLOEXEC, O_NONBLOCK } from './constants.ts';
import type { Engine } from './engine.ts';

/** A pipe that bytes pass through from one socket to another without being copied. */
export interface Pipe {
  readonly read: number;
  readonly write: number;
  readonly capacity: number;
  /** Bytes that came through for its present owner without a pause. */
  steady: number;
  /** How much came last. */
  last: number;
  /** Millisecond in which that was. */
  cameAt: number;
}

/** Who uses a pipe. */
export interface PipeOwner {
  /** Gives the pipe back if nothing is in it. */
  yieldPipe(): boolean;
}

const MOST = 32;
const WANTED_BYTES = 512 * 1024;
const LEAST_BYTES = 32 * 1024;

/**
 * A few pipes for the connections that move much. The kernel allows an ordinary user 64 MiB in pipes: they are bounded, and one
 * that lies empty is taken from its owner. Who gets none copies.
 */
export class PipePool {
  readonly #engine: Engine;
  readonly #free: Pipe[] = [];
  readonly #owners = new Set<PipeOwner>();
  readonly #descriptors = new Int32Array(2);
  #count = 0;
  #usable = true;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** A pipe, empty; undefined when there is none to spare. */
  take(owner: PipeOwner): Pipe | undefined {
    if (this.#free.length === 0 && this.#count >= MOST) this.#reclaim();
    const pipe = this.#free.pop() ?? this.#create();
    if (pipe === undefined) return undefined;
    this.#owners.add(owner);
    pipe.steady = 0;
    pipe.last = pipe.capacity;
    return pipe;
  }

  /** Takes an empty pipe back. */
  give(owner: PipeOwner, pipe: Pipe): void {
    this.#owners.delete(owner);
    this.#free.push(pipe);
  }

  /** Closes a pipe in which bytes of a broken connection lie. */
  discard(owner: PipeOwner, pipe: Pipe): void {
    this.#owners.delete(owner);
    this.#count--;
    this.#close(pipe);
  }

  close(): void {
    for (const pipe of this.#free) this.#close(pipe);
  }

  #reclaim(): void {
    for (const owner of this.#owners) if (owner.yieldPipe()) return;
  }

  #create(): Pipe | undefined {
    const { system } = this.#engine;
    if (!this.#usable || this.#count >= MOST) return undefined;
    if (system.pipe2(new Uint8Array(this.#descriptors.buffer), O_NONBLOCK | O_CLOEXEC) < 0) return undefined;
    const [read = -1, write = -1] = this.#descriptors;
    this.#engine.own(read);
    this.#engine.own(write);
    const capacity = system.fcntl(write, F_SETPIPE_SZ, WANTED_BYTES);
    const pipe = { read, write, capacity: capacity < 0 ? 65_536 : capacity, steady: 0, last: 0, cameAt: 0 };
    if (pipe.capacity < LEAST_BYTES) {
      // The user's allowance is used up: smaller ones cost more than copying.
      this.#usable = false;
      this.#close(pipe);
      return undefined;
    }
    this.#count++;
    return pipe;
  }

  #close({ read, write }: Pipe): void {
    this.#engine.close(read);
    this.#engine.close(write);
  }
}
