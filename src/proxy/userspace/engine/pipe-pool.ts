import { F_GETPIPE_SZ, F_SETPIPE_SZ, O_CLOEXEC, O_NONBLOCK } from './constants.ts';
import type { Engine } from './engine.ts';
import { Pipe, type PipeUser } from './pipe.ts';

const MOST = 32;
const WANTED_BYTES = 512 * 1024;
const LEAST_BYTES = 32 * 1024;
const RETRY_MS = 1000;

/**
 * A few pipes for the connections that move much. The kernel allows an ordinary user 64 MiB in pipes: they are bounded, and one
 * that lies empty is taken from its user. Who gets none copies.
 */
export class PipePool {
  readonly #engine: Engine;
  readonly #free: Pipe[] = [];
  readonly #lent = new Set<Pipe>();
  readonly #descriptors = new Int32Array(2);
  /** Millisecond before which no pipe can be had. */
  #retryAt = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** A pipe, empty; undefined when there is none to spare. */
  take(user: PipeUser): Pipe | undefined {
    if (this.#free.length === 0 && this.#lent.size >= MOST) this.#reclaim();
    const pipe = this.#free.pop() ?? this.#create();
    if (pipe === undefined) return undefined;
    this.#lent.add(pipe);
    pipe.lend(user);
    return pipe;
  }

  /** Takes a pipe back; one in which bytes of a broken connection lie is closed. */
  give(pipe: Pipe): void {
    this.#lent.delete(pipe);
    pipe.return();
    if (pipe.held > 0) this.#close(pipe);
    else this.#free.push(pipe);
  }

  close(): void {
    for (const pipe of this.#free) this.#close(pipe);
  }

  #reclaim(): void {
    for (const pipe of this.#lent) if (pipe.reclaim()) return;
  }

  #create(): Pipe | undefined {
    const { system } = this.#engine;
    if (this.#engine.now < this.#retryAt || this.#lent.size >= MOST) return undefined;
    if (system.pipe2(new Uint8Array(this.#descriptors.buffer), O_NONBLOCK | O_CLOEXEC) < 0) return undefined;
    const [read = -1, write = -1] = this.#descriptors;
    this.#engine.own(read);
    this.#engine.own(write);
    const resized = system.fcntl(write, F_SETPIPE_SZ, WANTED_BYTES);
    const capacity = resized < 0 ? system.fcntl(write, F_GETPIPE_SZ, 0) : resized;
    const pipe = new Pipe(this.#engine, { read, write, capacity });
    if (capacity >= LEAST_BYTES) return pipe;
    // The user's allowance is used up, which leaves two pages to a new one: that costs more than copying.
    this.#retryAt = this.#engine.now + RETRY_MS;
    this.#close(pipe);
    return undefined;
  }

  #close({ ends }: Pipe): void {
    this.#engine.close(ends.read);
    this.#engine.close(ends.write);
  }
}
