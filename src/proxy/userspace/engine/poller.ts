import { EINTR, EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD } from './constants.ts';
import { check } from './engine-error.ts';
import type { System } from './system.ts';

/** Something that is told of events on its descriptor. */
export interface Handler {
  /** Bits of EPOLLIN and its like. */
  onEvents(events: number): void;
}

const BATCH = 256;
// `struct epoll_event` has no padding on x64, and elsewhere the usual one.
const WORDS = process.arch === 'x64' ? 3 : 4;
const DATA = WORDS === 3 ? 1 : 2;

/**
 * One epoll instance. A descriptor may be closed and its number given out again while events of the old one wait in a batch:
 * every registration has a number of its own, and events of another one are left out.
 */
export class Poller {
  readonly #system: System;
  /** Descriptor of the instance. */
  readonly fd: number;
  readonly #events = new Int32Array(BATCH * WORDS);
  readonly #bytes = new Uint8Array(this.#events.buffer);
  readonly #event = new Int32Array(WORDS);
  readonly #eventBytes = new Uint8Array(this.#event.buffer);
  readonly #handlers: (Handler | undefined)[] = [];
  readonly #registrations: number[] = [];
  #last = 0;

  constructor(system: System) {
    this.#system = system;
    this.fd = check(system, 'epoll_create1', system.epoll_create1(EPOLL_CLOEXEC));
  }

  add(fd: number, events: number, handler: Handler): void {
    this.#last = (this.#last + 1) | 0;
    this.#handlers[fd] = handler;
    this.#registrations[fd] = this.#last;
    this.#control(EPOLL_CTL_ADD, fd, events);
  }

  /** Gives the events of a watched descriptor to another handler. */
  replace(fd: number, handler: Handler): void {
    this.#handlers[fd] = handler;
  }

  /** Asks for other events; 0 for none but errors. */
  modify(fd: number, events: number): void {
    this.#control(EPOLL_CTL_MOD, fd, events);
  }

  /** Forgets a descriptor that goes on living; nothing when it is not watched. */
  remove(fd: number): void {
    if (!this.#registrations[fd]) return;
    this.forget(fd);
    check(this.#system, 'epoll_ctl', this.#system.epoll_ctl(this.fd, EPOLL_CTL_DEL, fd, null));
  }

  /** Forgets a descriptor that is about to be closed: the kernel does the same by itself. */
  forget(fd: number): void {
    this.#handlers[fd] = undefined;
    this.#registrations[fd] = 0;
  }

  /** Waits for events, -1 for ever, and tells how many there are. */
  wait(timeoutMs: number): number {
    const count = this.#system.epoll_wait(this.fd, this.#bytes, BATCH, timeoutMs);
    if (count < 0 && this.#system.errno() !== EINTR) check(this.#system, 'epoll_wait', count);
    return count;
  }

  /** Gives so many events to their handlers. One that throws is told to `onError`. */
  dispatch(count: number, onError: (error: unknown) => void): void {
    const events = this.#events;
    for (let index = 0; index < count; index++) {
      const at = index * WORDS;
      const fd = events[at + DATA]!;
      if (this.#registrations[fd] !== events[at + DATA + 1]) continue;
      try {
        this.#handlers[fd]!.onEvents(events[at]!);
      } catch (error) {
        onError(error);
      }
    }
  }

  #control(operation: number, fd: number, events: number): void {
    this.#event[0] = events;
    this.#event[DATA] = fd;
    this.#event[DATA + 1] = this.#registrations[fd]!;
    check(this.#system, 'epoll_ctl', this.#system.epoll_ctl(this.fd, operation, fd, this.#eventBytes));
  }
}
