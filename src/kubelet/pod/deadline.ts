import type { Clock } from '../../kube/clock.ts';

/** A moment that can come earlier than first planned, but not later: the end of a grace period. */
export class Deadline implements Disposable {
  readonly #clock: Clock;
  readonly #passed = Promise.withResolvers<void>();
  #at: number;
  #timer: Disposable;

  /** `at` is in milliseconds since the epoch. */
  constructor(clock: Clock, at: number) {
    this.#clock = clock;
    this.#at = at;
    this.#timer = this.#arm();
  }

  get at(): number {
    return this.#at;
  }

  /** Resolves when the moment has come; never when it is disposed before. */
  get passed(): Promise<void> {
    return this.#passed.promise;
  }

  /** Moves it to an earlier moment; a later one is ignored. */
  advance(at: number): void {
    if (at >= this.#at) return;
    this.#at = at;
    this.#timer[Symbol.dispose]();
    this.#timer = this.#arm();
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }

  #arm(): Disposable {
    return this.#clock.schedule(Math.max(0, this.#at - this.#clock.now()), () => this.#passed.resolve());
  }
}
