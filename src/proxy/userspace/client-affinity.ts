/** A client: an IPv4 address as a number where that is at hand, otherwise the address as text. */
export type ClientKey = string | number;

interface Remembered<T> {
  target: T;
  expiresAt: number;
}

const SWEEP_AT = 1024;

/** Where the clients of a Service with session affinity go. The time-out slides: each new connection renews it. */
export class ClientAffinity<T> {
  readonly #clients = new Map<ClientKey, Remembered<T>>();
  #sweepAt = SWEEP_AT;

  get size(): number {
    return this.#clients.size;
  }

  /** The endpoint that the client went to within the time-out, if it still passes `isUsable`. */
  find(client: ClientKey, now: number, isUsable: (target: T) => boolean): T | undefined {
    const remembered = this.#clients.get(client);
    if (remembered === undefined) return undefined;
    if (remembered.expiresAt > now && isUsable(remembered.target)) return remembered.target;
    this.#clients.delete(client);
    return undefined;
  }

  /** Remembers where the client went, until `expiresAt`. */
  remember(
    client: ClientKey,
    target: T,
    { now, expiresAt }: { readonly now: number; readonly expiresAt: number },
  ): void {
    const remembered = this.#clients.get(client);
    if (remembered !== undefined) {
      remembered.target = target;
      remembered.expiresAt = expiresAt;
      return;
    }
    if (this.#clients.size >= this.#sweepAt) this.#sweep(now);
    this.#clients.set(client, { target, expiresAt });
  }

  /** Forgets one client, whose endpoint did not answer. */
  forget(client: ClientKey): void {
    this.#clients.delete(client);
  }

  /** Every client that has not been away too long, with where it goes and until when. */
  *entries(now: number): Iterable<readonly [ClientKey, T, expiresAt: number]> {
    for (const [client, { target, expiresAt }] of this.#clients) if (expiresAt > now) yield [client, target, expiresAt];
  }

  /** Forgets all. */
  clear(): void {
    this.#clients.clear();
  }

  // Costs a look at every client, and so is done when their number has doubled since the last time.
  #sweep(now: number): void {
    for (const [client, { expiresAt }] of this.#clients) if (expiresAt <= now) this.#clients.delete(client);
    this.#sweepAt = Math.max(SWEEP_AT, 2 * this.#clients.size);
  }
}
