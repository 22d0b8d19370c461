import { isJsonObject, jsonEquals, own } from '../../patch/json-value.ts';
import { previousItem } from '../custom/previous-item.ts';
import type { StructuralSchema } from '../custom/structural-schema.ts';

/** A part of an object and what it was before an update. */
interface Pair {
  readonly schema: StructuralSchema;
  readonly now: unknown;
  readonly before: unknown;
}

/** Where the walk over an object stands in its past: what has not changed there may stay as wrong as it was. */
export class Correlation {
  static readonly none = new Correlation(undefined, undefined);
  readonly #current: Pair | undefined;
  /** The nearest part above that has a past. */
  readonly #parent: Pair | undefined;

  private constructor(current: Pair | undefined, parent: Pair | undefined) {
    this.#current = current;
    this.#parent = parent;
  }

  /** Of a whole object; without one before it is new. */
  static ofObject(schema: StructuralSchema, now: unknown, before: unknown): Correlation {
    return before === undefined ? Correlation.none : new Correlation({ schema, now, before }, undefined);
  }

  /** Whether this part, or the nearest that has a past, is what it was. */
  isUnchanged(): boolean {
    const pair = this.#current ?? this.#parent;
    return pair !== undefined && isSame(pair);
  }

  /** Of one field. */
  field(name: string): Correlation {
    if (!this.#current) return this;
    // The version of an object and its kind are the same before and after by construction.
    if (!this.#parent && (name === 'apiVersion' || name === 'kind')) return Correlation.none;
    return new Correlation(pairOfField(this.#current, name), this.#current);
  }

  /** Of one list item. */
  item(index: number): Correlation {
    return this.#current ? new Correlation(pairOfItem(this.#current, index), this.#current) : this;
  }

  /** Of an alternative, which has no past of its own. */
  alternative(): Correlation {
    return new Correlation(undefined, this.#parent);
  }
}

function isSame(pair: Pair): boolean {
  const { now, before } = pair;
  if (Array.isArray(now) && Array.isArray(before)) {
    if (pair.schema['x-kubernetes-list-type'] !== 'map') return jsonEquals(now, before);
    return now.length === before.length && now.every((_, index) => isSamePart(pairOfItem(pair, index)));
  }
  if (!isJsonObject(now) || !isJsonObject(before)) return jsonEquals(now, before);
  const names = Object.keys(now);
  if (names.length !== Object.keys(before).length) return false;
  return names.every((name) => isSamePart(pairOfField(pair, name)));
}

const isSamePart = (pair: Pair | undefined): boolean => pair !== undefined && isSame(pair);

function pairOfField({ schema, now, before }: Pair, name: string): Pair | undefined {
  if (!isJsonObject(now) || !isJsonObject(before)) return undefined;
  if (!Object.hasOwn(before, name) || !Object.hasOwn(now, name)) return undefined;
  const more = typeof schema.additionalProperties === 'object' ? schema.additionalProperties : {};
  const below = own(schema.properties ?? {}, name) as StructuralSchema | undefined;
  return { schema: below ?? more, now: now[name], before: before[name] };
}

function pairOfItem({ schema, now, before }: Pair, index: number): Pair | undefined {
  const item: unknown = Array.isArray(now) ? now[index] : undefined;
  const old = previousItem(schema, item, before);
  return old === undefined ? undefined : { schema: schema.items ?? {}, now: item, before: old };
}
