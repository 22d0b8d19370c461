import {
  type EntryLayout,
  ERROR_TARGET_BYTES,
  EXTENSION_HEADER_BYTES,
  HOOK_CHAINS,
  LONGEST_CHAIN_NAME,
} from './entry-layout.ts';

/** What the kernel tells of a table: struct ipt_getinfo. */
export interface TableInfo {
  /** A bit for each hook that the table has a chain for. */
  readonly validHooks: number;
  /** Where the chains of the hooks begin, by the number of the hook. */
  readonly hookEntries: readonly number[];
  readonly entryCount: number;
  /** Bytes of all entries. */
  readonly size: number;
}

/** A chain as it stands in a table; offsets in bytes from the first entry. */
export interface TableChain {
  readonly name: string;
  /** Undefined for a chain that only jumps lead to. */
  readonly hook: number | undefined;
  readonly start: number;
  /** Where its first rule is: behind the entry with its name, which hooks have not. */
  readonly rules: number;
  /** Its last entry: the policy, or the way back. */
  readonly foot: number;
  readonly end: number;
  /** Number of entries before it. */
  readonly firstEntry: number;
  readonly entryCount: number;
}

// "ERROR" and its zero, compared as 32-bit words: the name begins two bytes behind the size.
const ERROR_BEGINS = 0x5245;
const ERROR_ENDS = Buffer.from('ROR\0').readInt32LE();

// From so many questions on it is worth to know all names.
const MANY_QUESTIONS = 32;

/**
 * What a table's entries say: where its chains are, and all verdicts that name a place in it. Nothing is made of a chain that
 * nobody asks for: tables have tens of thousands.
 */
export class TableContent {
  readonly chainCount: number;
  /** The hooks that have a chain, which are the first ones. */
  readonly hooks: readonly number[];
  /** The entry behind all chains. */
  readonly end: number;
  /** Where the verdicts are that lead elsewhere in the table, ascending. */
  readonly jumps: Uint32Array;
  readonly #entries: Buffer;
  readonly #layout: EntryLayout;
  /** By the number of the chain: its beginning, entries before it, and the entry before it; one more for the end. */
  readonly #starts: Uint32Array;
  readonly #firstEntries: Uint32Array;
  readonly #feet: Uint32Array;
  #questions = 0;
  #byName: Map<string, number> | undefined;

  private constructor(entries: Buffer, layout: EntryLayout, found: FoundChains) {
    this.#entries = entries;
    this.#layout = layout;
    this.#starts = found.starts;
    this.#firstEntries = found.firstEntries;
    this.#feet = found.feet;
    this.hooks = found.hooks;
    this.jumps = found.jumps;
    this.chainCount = found.starts.length - 1;
    this.end = found.starts.at(-1)!;
  }

  /**
   * Reads a table as the kernel hands it out. Undefined when it is not of the form that every iptables writes: the kernel is
   * given back only what was understood.
   */
  static read(entries: Buffer, info: TableInfo, layout: EntryLayout): TableContent | undefined {
    const found = findChains(entries, info, layout);
    return found && new TableContent(entries, layout, found);
  }

  /** The number of a chain, from 0 on in the order of the table; undefined when there is none of this name. */
  find(name: string): number | undefined {
    const hook = this.hooks.findIndex((number) => HOOK_CHAINS[number] === name);
    if (hook !== -1) return hook;
    if (++this.#questions > MANY_QUESTIONS) return this.#names().get(name);
    const wanted = Buffer.from(`${name}\0`);
    for (let chain = this.hooks.length; chain < this.chainCount; chain++) {
      const at = this.#nameAt(chain);
      // Long names differ at their ends.
      let index = wanted.length - 1;
      while (index >= 0 && this.#entries[at + index] === wanted[index]) index--;
      if (index < 0) return chain;
    }
    return undefined;
  }

  /** Before which chain one of this name belongs, where they are sorted as iptables sorts them: hooks first, then by name. */
  positionOf(name: string): number {
    let low = this.hooks.length;
    let high = this.chainCount;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#nameOf(middle) < name) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The chain of a number. */
  chain(number: number): TableChain {
    const [start, end] = [this.#starts[number]!, this.#starts[number + 1]!];
    const firstEntry = this.#firstEntries[number]!;
    const entryCount = this.#firstEntries[number + 1]! - firstEntry;
    const hook = this.hooks[number];
    const rules = hook === undefined ? start + this.#layout.headerBytes + ERROR_TARGET_BYTES : start;
    const foot = this.#feet[number + 1]!;
    return { name: this.#nameOf(number), hook, start, rules, foot, end, firstEntry, entryCount };
  }

  #nameOf(number: number): string {
    const hook = this.hooks[number];
    if (hook !== undefined) return HOOK_CHAINS[hook]!;
    const at = this.#nameAt(number);
    return this.#entries.toString('latin1', at, Math.min(this.#entries.indexOf(0, at), at + LONGEST_CHAIN_NAME + 1));
  }

  #nameAt(number: number): number {
    return this.#starts[number]! + this.#layout.headerBytes + EXTENSION_HEADER_BYTES;
  }

  #names(): ReadonlyMap<string, number> {
    if (this.#byName !== undefined) return this.#byName;
    this.#byName = new Map();
    for (let chain = this.hooks.length; chain < this.chainCount; chain++) this.#byName.set(this.#nameOf(chain), chain);
    return this.#byName;
  }
}

interface FoundChains {
  readonly starts: Uint32Array;
  readonly firstEntries: Uint32Array;
  readonly feet: Uint32Array;
  readonly jumps: Uint32Array;
  readonly hooks: readonly number[];
}

function findChains(entries: Buffer, info: TableInfo, layout: EntryLayout): FoundChains | undefined {
  const { size, entryCount, hookEntries } = info;
  const halves = new Uint16Array(entries.buffer, entries.byteOffset, size >> 1);
  const words = new Int32Array(entries.buffer, entries.byteOffset, size >> 2);
  const [starts, firstEntries, feet] = [
    new Uint32Array(entryCount),
    new Uint32Array(entryCount),
    new Uint32Array(entryCount),
  ];
  const jumps = new Uint32Array(entryCount);
  const hooks = HOOK_CHAINS.flatMap((_, hook) => ((info.validHooks & (1 << hook)) === 0 ? [] : [hook]));
  let [chains, jumpCount, at, entry, before] = [0, 0, 0, 0, 0];
  for (; at < size && entry < entryCount; entry++) {
    const target = at + halves[(at + layout.targetOffsetAt) >> 1]!;
    const next = at + halves[(at + layout.targetOffsetAt + 2) >> 1]!;
    if (target + EXTENSION_HEADER_BYTES > next || next > size) return undefined;
    const isHook = chains < hooks.length && hookEntries[hooks[chains]!] === at;
    const word = words[target >> 2]! >>> 16;
    if (isHook || (word === ERROR_BEGINS && words[(target + 4) >> 2] === ERROR_ENDS)) {
      if (!isHook && chains < hooks.length) return undefined;
      starts[chains] = at;
      firstEntries[chains] = entry;
      feet[chains++] = before;
    }
    if ((word & 0xff) === 0 && words[(target + EXTENSION_HEADER_BYTES) >> 2]! >= 0)
      jumps[jumpCount++] = target + EXTENSION_HEADER_BYTES;
    before = at;
    at = next;
  }
  // The last entry is alone behind all chains, of the form of a chain's beginning.
  if (at !== size || entry !== entryCount || chains <= hooks.length || starts[chains - 1] !== before) return undefined;
  const cut = (numbers: Uint32Array): Uint32Array => numbers.subarray(0, chains);
  return {
    starts: cut(starts),
    firstEntries: cut(firstEntries),
    feet: cut(feet),
    jumps: jumps.subarray(0, jumpCount),
    hooks,
  };
}
