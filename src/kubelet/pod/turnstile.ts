/** Lets one caller through per turn of the event loop, so that a burst of pods does not keep everything else waiting. */
export class Turnstile {
  readonly #queue: (() => void)[] = [];

  /** Resolves when it is the caller's turn, in the order of the calls. */
  pass(): Promise<void> {
    return new Promise((resolve) => {
      this.#queue.push(resolve);
      if (this.#queue.length === 1) this.#next();
    });
  }

  #next(): void {
    setImmediate(() => {
      this.#queue[0]?.();
      this.#queue.shift();
      if (this.#queue.length > 0) this.#next();
    });
  }
}
