import type { Rule } from '../../netfilter/iptables/rule.ts';
import { type EntryLayout, HOOK_CHAINS, LONGEST_CHAIN_NAME } from './entry-layout.ts';
import { type FoundRule, findRule } from './find-rule.ts';
import { isKept, type KeptEntries, type Piece } from './piece.ts';
import { type FreshRules, RuleWriter } from './rule-writer.ts';
import type { TableChain, TableContent } from './table-content.ts';

/** A chain as it is to be: what begins it, its rules, and what ends it. */
export interface EditedChain {
  readonly name: string;
  readonly hook: number | undefined;
  /** Nothing for the chain of a hook. */
  readonly head: Piece | undefined;
  readonly body: Piece[];
  readonly foot: Piece;
}

/** The chains of a table as they are to be, in their order: some are edited, others go on as they are. */
export type EditedPart = EditedChain | KeptEntries;

/** A table as the kernel handed it out. */
export interface EditedTable {
  readonly entries: Buffer;
  readonly content: TableContent;
  readonly layout: EntryLayout;
}

/** The changes of one table, command by command. Each tells whether it could be made; the program knows what is wrong else. */
export class TableEdit {
  readonly #table: string;
  readonly #entries: Buffer;
  readonly #content: TableContent;
  readonly #writer: RuleWriter;
  readonly #layout: EntryLayout;
  /** Chains that were looked at, by name; undefined for one that was removed. */
  readonly #chains = new Map<string, EditedChain | undefined>();

  constructor(table: string, { entries, content, layout }: EditedTable) {
    this.#table = table;
    this.#entries = entries;
    this.#content = content;
    this.#layout = layout;
    this.#writer = new RuleWriter(layout);
  }

  /** Makes a chain, or empties the one there is. */
  declare(name: string): boolean {
    const chain = this.#chain(name);
    if (chain !== undefined) {
      chain.body.length = 0;
      return chain.hook === undefined;
    }
    if (name === '' || Buffer.byteLength(name) > LONGEST_CHAIN_NAME || /[^\x21-\x7e]|^[-!]/.test(name)) return false;
    const [head, foot] = [this.#writer.writeHead(name), this.#writer.writeFoot()];
    this.#chains.set(name, { name, hook: undefined, head, body: [], foot });
    return true;
  }

  /** Adds a rule at the end of a chain. */
  append(name: string, rule: Rule): boolean {
    const chain = this.#chain(name);
    const fresh = chain && this.#write(chain, rule);
    if (fresh === undefined) return false;
    const last = chain!.body.at(-1);
    if (last !== undefined && !isKept(last) && last.slab === fresh.slab && last.end === fresh.start) {
      last.end = fresh.end;
      last.count += fresh.count;
      last.jumps.push(...fresh.jumps);
    } else chain!.body.push(fresh);
    return true;
  }

  /** Adds a rule before the one of this number; numbers count from 1. */
  insert(name: string, position: number, rule: Rule): boolean {
    const chain = this.#chain(name);
    const index = chain && this.#split(chain.body, position - 1);
    const fresh = index === undefined ? undefined : this.#write(chain!, rule);
    if (fresh === undefined) return false;
    chain!.body.splice(index!, 0, fresh);
    return true;
  }

  /** Removes the first rule that is the same, of those that stood in the table before. */
  remove(name: string, rule: Rule): boolean {
    const chain = this.#chain(name);
    const found = chain && this.#find(chain, rule);
    return found !== undefined && this.#cut(chain!.body, found);
  }

  /** Tells whether there is a rule like this, of those that stood in the table before. */
  contains(name: string, rule: Rule): boolean {
    const chain = this.#chain(name);
    return chain !== undefined && this.#find(chain, rule) !== undefined;
  }

  /** Tells whether there is such a chain. */
  has(name: string): boolean {
    return this.#chain(name) !== undefined;
  }

  /** Removes an empty chain. Jumps to it are found when the table is laid out. */
  removeChain(name: string): boolean {
    const chain = this.#chain(name);
    if (chain === undefined || chain.hook !== undefined || chain.body.length > 0) return false;
    this.#chains.set(name, undefined);
    return true;
  }

  /** What the table is made of: hooks first, then by name, as iptables keeps them. */
  parts(): EditedPart[] {
    // Where a hook's chain stands is told to the kernel.
    for (const hook of this.#content.hooks) this.#chain(HOOK_CHAINS[hook]!);
    const places = [...this.#chains].map(([name, chain]) => {
      const number = this.#content.find(name);
      return { name, chain, at: number ?? this.#content.positionOf(name), length: number === undefined ? 0 : 1 };
    });
    places.sort((a, b) => a.at - b.at || a.length - b.length || (a.name < b.name ? -1 : 1));
    const parts: EditedPart[] = [];
    let next = 0;
    for (const { chain, at, length } of places) {
      if (at > next) parts.push(this.#untouched(next, at));
      if (chain !== undefined) parts.push(chain);
      next = at + length;
    }
    if (next < this.#content.chainCount) parts.push(this.#untouched(next, this.#content.chainCount));
    return parts;
  }

  #untouched(first: number, behind: number): KeptEntries {
    const { start, firstEntry } = this.#content.chain(first);
    const last = this.#content.chain(behind - 1);
    return { from: start, to: last.end, firstEntry, count: last.firstEntry + last.entryCount - firstEntry };
  }

  #chain(name: string): EditedChain | undefined {
    if (this.#chains.has(name)) return this.#chains.get(name);
    const number = this.#content.find(name);
    if (number === undefined) return undefined;
    const opened = openChain(this.#content.chain(number));
    this.#chains.set(name, opened);
    return opened;
  }

  // Mistakes that iptables knows and the kernel does not mind: a hook's chain never sees some interfaces, and only the first
  // packet of a connection comes to table nat.
  #write(chain: EditedChain, rule: Rule): FreshRules | undefined {
    const unseen = UNSEEN_INTERFACES[chain.hook ?? -1];
    if (rule.matches.some(({ kind }) => kind === unseen)) return undefined;
    return this.#table === 'nat' && rule.target?.kind === 'drop' ? undefined : this.#writer.write(rule);
  }

  // Where in a body the rule with this index begins, after cutting the piece in two that has it in its middle.
  #split(body: Piece[], index: number): number | undefined {
    let before = 0;
    for (const [at, piece] of body.entries()) {
      if (index === before) return at;
      if (index < before + piece.count) {
        if (!isKept(piece)) return undefined;
        const middle = this.#skip(piece.from, index - before);
        body.splice(at, 1, ...cutKept(piece, { from: middle, to: middle, after: index - before, removed: 0 }));
        return at + 1;
      }
      before += piece.count;
    }
    return index === before ? body.length : undefined;
  }

  #skip(from: number, entries: number): number {
    let at = from;
    for (let count = 0; count < entries; count++)
      at += this.#entries.readUInt16LE(at + this.#layout.targetOffsetAt + 2);
    return at;
  }

  #find(chain: EditedChain, rule: Rule): FoundRule | undefined {
    const fresh = this.#write(chain, rule);
    if (fresh === undefined) return undefined;
    const target = fresh.jumps[0]?.chain;
    const number = target === undefined ? undefined : this.#content.find(target);
    const jumpTo = number === undefined ? undefined : this.#content.chain(number).rules;
    const isKnown = target === undefined || jumpTo !== undefined;
    const kept = chain.body.filter(isKept);
    const found = isKnown ? findRule(this.#entries, { kept, fresh, jumpTo, layout: this.#layout }) : undefined;
    this.#writer.drop(fresh);
    return found;
  }

  #cut(body: Piece[], { piece, at, index }: FoundRule): boolean {
    const hole = { from: at, to: this.#skip(at, 1), after: index, removed: 1 };
    body.splice(body.indexOf(piece), 1, ...cutKept(piece, hole));
    return true;
  }
}

// By the hook's number.
const UNSEEN_INTERFACES: Readonly<Record<number, string>> = {
  0: 'out-interface',
  1: 'out-interface',
  3: 'in-interface',
  4: 'in-interface',
};

function openChain({ name, hook, start, rules, foot, end, firstEntry, entryCount }: TableChain): EditedChain {
  const heads = rules > start ? 1 : 0;
  const count = entryCount - heads - 1;
  return {
    name,
    hook,
    head: heads === 0 ? undefined : { from: start, to: rules, firstEntry, count: 1 },
    body: count === 0 ? [] : [{ from: rules, to: foot, firstEntry: firstEntry + heads, count }],
    foot: { from: foot, to: end, firstEntry: firstEntry + entryCount - 1, count: 1 },
  };
}

interface Hole {
  readonly from: number;
  readonly to: number;
  /** Number of the piece's entries before it. */
  readonly after: number;
  readonly removed: number;
}

function cutKept({ from, to, firstEntry, count }: KeptEntries, hole: Hole): KeptEntries[] {
  const behind = hole.after + hole.removed;
  return [
    { from, to: hole.from, firstEntry, count: hole.after },
    { from: hole.to, to, firstEntry: firstEntry + behind, count: count - behind },
  ].filter((piece) => piece.count > 0);
}
