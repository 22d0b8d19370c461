import type { Informer } from '../../kube/informer.ts';
import type { KubeObject } from '../../kube/resources.ts';

/** Finds cached objects by something other than their key, as client-go's Indexer; follows its informer by itself. */
export class ObjectIndex<T extends KubeObject> {
  readonly #valuesOf: (object: T) => Iterable<string>;
  readonly #entries = new Map<string, Map<string, T>>();

  constructor(informer: Informer<T>, valuesOf: (object: T) => Iterable<string>) {
    this.#valuesOf = valuesOf;
    informer.onChange(({ key, previous, current }) => {
      if (previous !== undefined) this.#remove(key, previous);
      if (current !== undefined) this.#add(key, current);
    });
  }

  /** The objects with this value, in the order in which they got it. */
  get(value: string): readonly T[] {
    const found = this.#entries.get(value);
    return found === undefined ? [] : [...found.values()];
  }

  count(value: string): number {
    return this.#entries.get(value)?.size ?? 0;
  }

  #add(key: string, object: T): void {
    for (const value of this.#valuesOf(object)) {
      const found = this.#entries.get(value);
      if (found === undefined) this.#entries.set(value, new Map([[key, object]]));
      else found.set(key, object);
    }
  }

  #remove(key: string, object: T): void {
    for (const value of this.#valuesOf(object)) {
      const found = this.#entries.get(value);
      if (found?.delete(key) && found.size === 0) this.#entries.delete(value);
    }
  }
}
