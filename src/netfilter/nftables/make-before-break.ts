import type { Element, Rule } from './rule.ts';
import type { Operation } from './transaction.ts';

/** A transaction in two, which come to the same one after the other. */
export interface MakeBeforeBreak {
  /** Brings all that is new; what led packets so far stays. */
  readonly make: readonly Operation[];
  /** Takes away what is no longer asked. */
  readonly rest: readonly Operation[];
}

/**
 * Parts what a transaction brings from what it takes away. A packet that is in the middle of the rules when the kernel changes them
 * goes on through the old ones, but their maps hold nothing any more: elements are looked for as of now. So new rules come before
 * the old ones of their chain, which go in the second step. A set that another of the same name replaces, and elements whose
 * place others take, cannot be parted and stay in the first.
 */
export function makeBeforeBreak(operations: readonly Operation[]): MakeBeforeBreak {
  const brought = new Brought(operations);
  const make: Operation[] = [];
  const rest: Operation[] = [];
  for (const operation of operations) {
    switch (operation.kind) {
      case 'flush-chain': {
        const count = brought.rulesOf(operation.chain).length;
        rest.push(count === 0 ? operation : { kind: 'delete-rules-behind', chain: operation.chain, count });
        break;
      }
      case 'add-rule': {
        const rules = brought.rulesOf(operation.chain);
        if (rules.length === 0) make.push(operation);
        else if (rules[0] === operation.rule) make.push({ kind: 'insert-rules', chain: operation.chain, rules });
        break;
      }
      case 'delete-elements': {
        const { set, elements } = operation;
        const isMap = set.data !== undefined;
        const { true: going = [], false: replaced = [] } = Object.groupBy(elements, ({ key }) =>
          String(isMap && !brought.takes(set.name, key)),
        );
        if (replaced.length > 0) make.push({ ...operation, elements: replaced });
        if (going.length > 0) rest.push({ ...operation, elements: going });
        break;
      }
      case 'delete-chain':
        rest.push(operation);
        break;
      case 'delete-set':
        if (brought.sets.has(operation.set)) return { make: operations, rest: [] };
        rest.push(operation);
        break;
      default:
        make.push(operation);
    }
  }
  return { make, rest };
}

/** What a transaction adds. */
class Brought {
  readonly sets = new Set<string>();
  /** New rules of chains that are emptied first. */
  readonly #rules = new Map<string, Rule[]>();
  readonly #places = new Map<string, Places>();

  constructor(operations: readonly Operation[]) {
    for (const operation of operations) {
      if (operation.kind === 'flush-chain') this.#rules.set(operation.chain, []);
      else if (operation.kind === 'add-rule') this.#rules.get(operation.chain)?.push(operation.rule);
      else if (operation.kind === 'add-set') this.sets.add(operation.set.name);
      else if (operation.kind === 'add-elements') this.#placesOf(operation.set.name).add(operation.elements);
    }
  }

  rulesOf(chain: string): readonly Rule[] {
    return this.#rules.get(chain) ?? [];
  }

  takes(set: string, key: string): boolean {
    return this.#places.get(set)?.include(key) === true;
  }

  #placesOf(set: string): Places {
    let places = this.#places.get(set);
    if (places === undefined) {
      places = new Places();
      this.#places.set(set, places);
    }
    return places;
  }
}

/** Places of a set that elements take: keys, and intervals of numbers, which do not overlap. */
class Places {
  readonly #keys = new Set<string>();
  #intervals: (readonly [from: number, to: number])[] = [];
  #isSorted = true;

  add(elements: readonly Element[]): void {
    for (const { key } of elements) {
      this.#keys.add(key);
      const interval = intervalOf(key);
      if (interval !== undefined) this.#intervals.push(interval);
    }
    this.#isSorted = false;
  }

  include(key: string): boolean {
    if (this.#keys.has(key)) return true;
    const interval = intervalOf(key);
    if (interval === undefined) return false;
    if (!this.#isSorted) this.#intervals = this.#intervals.sort(([a], [b]) => a - b);
    this.#isSorted = true;
    const [from, to] = interval;
    let [low, high] = [0, this.#intervals.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#intervals[middle]![0] <= to) low = middle + 1;
      else high = middle;
    }
    const last = this.#intervals[low - 1];
    return last !== undefined && last[1] >= from;
  }
}

function intervalOf(key: string): readonly [from: number, to: number] | undefined {
  const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(key) ?? [];
  return from === undefined ? undefined : [Number(from), Number(to)];
}
