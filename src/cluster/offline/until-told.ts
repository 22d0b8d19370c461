const LONG_MS = 2 ** 31 - 1;

/** Waits for SIGINT or SIGTERM, and keeps the process alive meanwhile: waiting for an API server that is away does not. */
export class UntilTold implements Disposable {
  readonly #told = Promise.withResolvers<string>();
  readonly #alive = setInterval(() => {}, LONG_MS);

  constructor() {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => this.#told.resolve(signal));
  }

  /** Resolves with the signal. */
  get signal(): Promise<string> {
    return this.#told.promise;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#alive);
  }
}
