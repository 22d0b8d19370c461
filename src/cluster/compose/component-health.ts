import type { ComponentStatus } from '../control/protocol.ts';

/** What went wrong last in each part of the cluster; a part that recovers says so. */
export class ComponentHealth {
  readonly #log: (text: string) => void;
  readonly #states = new Map<string, ComponentStatus>();
  readonly #failure = Promise.withResolvers<never>();

  constructor(log: (text: string) => void) {
    this.#log = log;
    // Only a start looks at it; later failures show in the list.
    this.#failure.promise.catch(() => undefined);
  }

  /** Rejects with the first failure that is not harmless. */
  get failure(): Promise<never> {
    return this.#failure.promise;
  }

  /** Names a part, healthy until it says otherwise. */
  add(name: string): void {
    this.#states.set(name, { name, healthy: true, message: '' });
  }

  /** Writes down and logs a failure of a part; `harmless` ones (retried by themselves) leave it healthy. */
  failed(name: string, error: unknown, harmless = false): void {
    const message = error instanceof Error ? error.message : String(error);
    this.#log(`${name}: ${error instanceof Error ? error.stack : message}`);
    if (harmless) return;
    this.#states.set(name, { name, healthy: false, message });
    this.#failure.reject(error);
  }

  recovered(name: string): void {
    this.add(name);
  }

  list(): readonly ComponentStatus[] {
    return [...this.#states.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}
