import type { ServedResource } from './served-resource.ts';

const keyOf = (group: string, version: string, resource: string): string => `${group}/${version}/${resource}`;

/** Everything that is served now; custom kinds come and go. */
export class ResourceRegistry {
  readonly #resources = new Map<string, ServedResource>();
  readonly #listeners = new Set<() => void>();
  #generation = 0;
  #sorted: readonly ServedResource[] | undefined;

  /** Rises with every change: what discovery and OpenAPI cache by. */
  get generation(): number {
    return this.#generation;
  }

  /** Undefined when it is not served. */
  find(group: string, version: string, resource: string): ServedResource | undefined {
    return this.#resources.get(keyOf(group, version, resource));
  }

  /** Every served resource, sorted by group, version and name; the core group comes first. */
  all(): readonly ServedResource[] {
    this.#sorted ??= [...this.#resources.entries()]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, resource]) => resource);
    return this.#sorted;
  }

  /** Adds or replaces resources; all listeners hear of it once. */
  add(resources: readonly ServedResource[]): void {
    for (const resource of resources) {
      const { group, version, resource: name } = resource.type;
      this.#resources.set(keyOf(group, version, name), resource);
    }
    this.#changed();
  }

  /** Removes resources; those that are not there are ignored. */
  remove(resources: readonly ServedResource[]): void {
    for (const resource of resources) {
      const { group, version, resource: name } = resource.type;
      const key = keyOf(group, version, name);
      if (this.#resources.get(key) === resource) this.#resources.delete(key);
    }
    this.#changed();
  }

  /** Calls `listener` after each change until the returned handle is disposed. */
  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  #changed(): void {
    this.#generation++;
    this.#sorted = undefined;
    for (const listener of this.#listeners) listener();
  }
}
