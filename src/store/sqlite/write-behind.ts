import type { StoreEvent } from '../store.ts';

/** Persists events in their order, all that have gathered while the disk was busy together. */
export class WriteBehind {
  readonly #persist: (events: readonly StoreEvent[]) => Promise<void>;
  #gathered: StoreEvent[] = [];
  #running: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(persist: (events: readonly StoreEvent[]) => Promise<void>) {
    this.#persist = persist;
  }

  /** Takes events that are whole revisions. Throws what went wrong before: from then on nothing is persisted. */
  add(events: readonly StoreEvent[]): void {
    if (this.#failure) throw this.#failure.error;
    this.#gathered.push(...events);
    this.#running ??= this.#run();
  }

  /** Resolves when all is on the disk. Rejects with what went wrong. */
  async flushed(): Promise<void> {
    await this.#running;
    if (this.#failure) throw this.#failure.error;
  }

  async #run(): Promise<void> {
    try {
      while (this.#gathered.length > 0) {
        const events = this.#gathered;
        this.#gathered = [];
        await this.#persist(events);
      }
    } catch (error) {
      this.#failure = { error };
    }
    this.#running = undefined;
  }
}
