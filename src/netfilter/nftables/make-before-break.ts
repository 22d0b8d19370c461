import type { Element, Rule } from './rule.ts';
import type { SetDeclaration } from './table.ts';
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
        const going = isMap(set) ? elements.filter(({ key }) => !brought.takes(set.name, key)) : [];
        const gone = new Set(going);
        const replaced = gone.size === 0 ? elements : elements.filter((element) => !gone.has(element));
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

// Elements of a set lead nowhere.
const isMap = ({ data }: SetDeclaration): boolean => data !== undefined;

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
    }
    const mapped = operations.filter((operation) => operation.kind === 'add-elements').filter(({ set }) => isMap(set));
    for (const [name, additions] of Map.groupBy(mapped, ({ set }) => set.name))
      this.#places.set(name, new Places(additions.flatMap(({ elements }) => elements)));
  }

  rulesOf(chain: string): readonly Rule[] {
    return this.#rules.get(chain) ?? [];
  }

  takes(set: string, key: string): boolean {
    return this.#places.get(set)?.include(key) === true;
  }
}

/** Places of a set that elements take: keys, and intervals of numbers, which do not overlap. */
class Places {
  readonly #keys: ReadonlySet<string>;
  readonly #intervals: readonly Interval[];

  constructor(elements: readonly Element[]) {
    this.#keys = new Set(elements.map(({ key }) => key));
    const intervals = elements.map(({ key }) => intervalOf(key)).filter((interval) => interval !== undefined);
    this.#intervals = intervals.sort(([a], [b]) => a - b);
  }

  include(key: string): boolean {
    if (this.#keys.has(key)) return true;
    const interval = intervalOf(key);
    if (interval === undefined) return false;
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

type Interval = readonly [from: number, to: number];

function intervalOf(key: string): Interval | undefined {
  const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(key) ?? [];
  return from === undefined ? undefined : [Number(from), Number(to)];
}
