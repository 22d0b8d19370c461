import { openSync } from 'node:fs';
import type { TransportLimits } from '../transport.ts';
import { ConnectionSet } from './connection-set.ts';
import {
  AF_INET,
  AF_INET6,
  CLONE_NEWNET,
  EMFILE,
  ENFILE,
  ENOBUFS,
  ENOMEM,
  IPPROTO_TCP,
  ONE,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  TCP_CONGESTION,
  TCP_NODELAY,
} from './constants.ts';
import type { DescriptorTable } from './descriptors.ts';
import { check } from './engine-error.ts';
import { Gathering } from './gathering.ts';
import type { Namespace } from './messages.ts';
import { PipePool } from './pipe-pool.ts';
import { Poller } from './poller.ts';
import type { System } from './system.ts';

export interface EngineOptions {
  readonly system: System;
  readonly limits: TransportLimits;
  /** True where all clients and endpoints are on this machine. */
  readonly isLocal: boolean;
  readonly descriptors: DescriptorTable;
  /** Told of what should not have happened; the loop goes on. */
  readonly onError: (error: unknown) => void;
}

/** Something that goes on when its turn comes again, so that one busy connection does not hold up the others. */
export interface Task {
  resume(): void;
}

/** Something that looks at its deadlines now and then. */
export interface Timed {
  /** Returns in how many milliseconds it wants to be asked again; undefined: not any more. */
  onTime(now: number): number | undefined;
}

/** One thread's event loop: descriptors, deadlines, and what all connections of the thread share. */
export class Engine {
  readonly system: System;
  readonly limits: TransportLimits;
  readonly #isLocal: boolean;
  readonly poller: Poller;
  readonly pipes: PipePool;
  readonly gathering: Gathering = new Gathering(this);
  readonly connections: ConnectionSet = new ConnectionSet(this);
  /** What is read before it is written on; never in use across two handlers. */
  readonly buffer: Buffer = Buffer.allocUnsafeSlow(1 << 18);
  /** Milliseconds of this turn of the loop. Whole ones: V8 keeps those in their field, and every fraction in an object of its own. */
  now = Math.floor(performance.now());
  readonly #descriptors: DescriptorTable;
  readonly #onError: (error: unknown) => void;
  readonly #timed = new Map<Timed, number>();
  readonly #starved = new Set<Task>();
  readonly #atEnd = new Set<Task>();
  #ready: Task[] = [];
  // Where this thread is: it stays in the namespace that it used last, for mostly it is the next one too.
  #netns: number | undefined;
  readonly #home = openSync('/proc/thread-self/ns/net', 'r');
  #running = true;
  #isRetiring = false;

  constructor({ system, limits, isLocal, descriptors, onError }: EngineOptions) {
    this.system = system;
    this.limits = limits;
    this.#isLocal = isLocal;
    this.#descriptors = descriptors;
    this.#onError = onError;
    this.poller = new Poller(system);
    this.own(this.poller.fd);
    this.own(this.#home);
    this.pipes = new PipePool(this);
  }

  /** Runs until `stop`. */
  run(): void {
    while (this.#running) {
      // Deadlines come after events: what happened while this thread did not run is not late.
      const next = this.#runTimed();
      // A deadline may have ended the last connection of a thread that retires.
      if (!this.#running) break;
      const count = this.poller.wait(this.#ready.length > 0 ? 0 : next);
      this.now = Math.floor(performance.now());
      this.poller.dispatch(count, this.#onError);
      this.#runReady();
    }
    this.pipes.close();
    this.goHome();
    this.close(this.#home);
    this.close(this.poller.fd);
  }

  stop(): void {
    this.#running = false;
  }

  /** Stops as soon as no connection is left. */
  stopWhenIdle(): void {
    this.#isRetiring = true;
    this.connectionEnded();
  }

  /** Told by the connections. */
  connectionEnded(): void {
    if (this.#isRetiring && this.connections.size === 0) this.#running = false;
  }

  /** Resumes a task after the events of this turn. */
  later(task: Task): void {
    this.#ready.push(task);
  }

  /** Resumes a task at the end of this turn, once however often it is asked for. */
  atEnd(task: Task): void {
    this.#atEnd.add(task);
  }

  /** Resumes a task when a descriptor was closed, or after a moment: those of other threads and programs count too. */
  whenDescriptorsAreFree(task: Task): void {
    this.#starved.add(task);
    this.schedule({ onTime: () => this.#wakeStarved() }, STARVED_MS);
  }

  /** Asks `timed` after so many milliseconds; anew if it waits already. */
  schedule(timed: Timed, ms: number): void {
    this.#timed.set(timed, this.now + ms);
  }

  unschedule(timed: Timed): void {
    this.#timed.delete(timed);
  }

  /** A socket in a network namespace; undefined when descriptors or memory ran out. */
  socket(netns: Namespace, { v6, type }: { readonly v6: boolean; readonly type: number }): number | undefined {
    const { system } = this;
    if (netns.fd === undefined) this.goHome();
    else if (this.#netns !== netns.id) {
      check(system, 'setns', system.setns(netns.fd, CLONE_NEWNET));
      this.#netns = netns.id;
    }
    const fd = system.socket(v6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
      if (isExhausted(system.errno())) return undefined;
      return check(system, 'socket', fd);
    }
    this.own(fd);
    return fd;
  }

  /** Sets what a socket needs that carries more than one request, or hands on to others what it is set to: small things leave at once. */
  hasten(fd: number): void {
    const { system } = this;
    system.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, ONE, ONE.length);
    // Where the machine's own choice is BBR every segment would wait for a timer.
    if (this.#isLocal) system.setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, RENO, RENO.length);
  }

  /** Leaves the namespace that was used last, so that it does not live on because of this thread. */
  goHome(): void {
    if (this.#netns === undefined) return;
    check(this.system, 'setns', this.system.setns(this.#home, CLONE_NEWNET));
    this.#netns = undefined;
  }

  /** Writes down that a descriptor is this engine's to close. */
  own(fd: number): void {
    this.#descriptors[fd] = 1;
  }

  /** Closes a descriptor, watched or not. */
  close(fd: number): void {
    this.poller.forget(fd);
    this.#descriptors[fd] = 0;
    this.system.close(fd);
    if (this.#starved.size > 0) this.#wakeStarved();
  }

  /** Lets go of a descriptor that somebody else goes on with. */
  release(fd: number): void {
    this.poller.remove(fd);
    this.#descriptors[fd] = 0;
  }

  report(error: unknown): void {
    this.#onError(error);
  }

  #wakeStarved(): undefined {
    for (const task of this.#starved) this.#ready.push(task);
    this.#starved.clear();
  }

  #runReady(): void {
    if (this.#ready.length > 0) {
      const ready = this.#ready;
      this.#ready = [];
      for (const task of ready) this.#attempt(task);
    }
    if (this.#atEnd.size === 0) return;
    for (const task of this.#atEnd) this.#attempt(task);
    this.#atEnd.clear();
  }

  #attempt(task: Task): void {
    try {
      task.resume();
    } catch (error) {
      this.#onError(error);
    }
  }

  #ask(timed: Timed): number | undefined {
    try {
      return timed.onTime(this.now);
    } catch (error) {
      this.#onError(error);
      return undefined;
    }
  }

  // Few things have deadlines (a listener has one for all its flows), so that looking at all of them is cheap.
  #runTimed(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const [timed, at] of this.#timed) {
      let due = at;
      if (due <= this.now) {
        this.#timed.delete(timed);
        const again = this.#ask(timed);
        if (again === undefined) continue;
        due = this.now + again;
        this.#timed.set(timed, due);
      }
      next = Math.min(next, due);
    }
    return next === Number.POSITIVE_INFINITY ? -1 : Math.max(1, Math.ceil(next - this.now));
  }
}

const STARVED_MS = 100;

/** `struct linger`: closing resets. */
export const NO_LINGER: Uint8Array = new Uint8Array(Int32Array.of(1, 0).buffer);

// Built into every kernel, and free to use for everybody.
const RENO = new TextEncoder().encode('reno');

/** True for errors that say that the process or the machine has no more of something. */
export function isExhausted(errno: number): boolean {
  return errno === EMFILE || errno === ENFILE || errno === ENOBUFS || errno === ENOMEM;
}
