import type { DispatchLine } from './rendered-port.ts';

interface Entry {
  readonly key: string;
  readonly rule: string;
}

/** A change of one rule in a shared chain; `position` counts from 1 at the moment when the change is made. */
export type DispatchEdit =
  | { readonly kind: 'delete'; readonly line: DispatchLine }
  | { readonly kind: 'insert'; readonly line: DispatchLine; readonly position: number };

/**
 * What the shared chains hold, in order: ServicePorts sorted by key, the rules of each in writing order. It turns the change
 * of one ServicePort into single deletions and insertions, so that a chain of thousands of rules is not written again.
 */
export class SharedChains {
  readonly #chains = new Map<string, Entry[]>();

  /** Sets the rules of a ServicePort without telling how: for a full sync. */
  load(key: string, lines: readonly DispatchLine[]): void {
    for (const line of lines) this.#entriesOf(line).push({ key, rule: line.rule });
  }

  /** Replaces the rules of a ServicePort; the edits are in the order in which they must be made. */
  replace(key: string, previous: readonly DispatchLine[], current: readonly DispatchLine[]): DispatchEdit[] {
    if (isSame(previous, current)) return [];
    const edits: DispatchEdit[] = [];
    for (const line of previous) {
      const entries = this.#entriesOf(line);
      entries.splice(positionOf(entries, key), 1);
      edits.push({ kind: 'delete', line });
    }
    for (const line of current) {
      const entries = this.#entriesOf(line);
      const index = endOf(entries, key);
      entries.splice(index, 0, { key, rule: line.rule });
      edits.push({ kind: 'insert', line, position: index + 1 });
    }
    return edits;
  }

  /** Rules of one shared chain. */
  rulesOf(table: string, chain: string): readonly string[] {
    return (this.#chains.get(`${table} ${chain}`) ?? []).map(({ rule }) => rule);
  }

  /** Number of rules of a table in shared chains. */
  count(table: string): number {
    let total = 0;
    for (const [name, entries] of this.#chains) if (name.startsWith(`${table} `)) total += entries.length;
    return total;
  }

  #entriesOf({ table, chain }: DispatchLine): Entry[] {
    const name = `${table} ${chain}`;
    const entries = this.#chains.get(name) ?? [];
    this.#chains.set(name, entries);
    return entries;
  }
}

function isSame(previous: readonly DispatchLine[], current: readonly DispatchLine[]): boolean {
  return (
    previous.length === current.length &&
    previous.every((line, index) => {
      const other = current[index]!;
      return line.rule === other.rule && line.chain === other.chain && line.table === other.table;
    })
  );
}

// Index of the first entry that is not before `key`.
function positionOf(entries: readonly Entry[], key: string): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (entries[middle]!.key < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function endOf(entries: readonly Entry[], key: string): number {
  let index = positionOf(entries, key);
  while (entries[index]?.key === key) index++;
  return index;
}
