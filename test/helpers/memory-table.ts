import { HOOK_CHAINS, LAYOUTS } from '../../src/kernel/xtables/entry-layout.ts';
import { layOutTable } from '../../src/kernel/xtables/lay-out-table.ts';
import { moveEntries } from '../../src/kernel/xtables/move-entries.ts';
import { RuleWriter } from '../../src/kernel/xtables/rule-writer.ts';
import { TableContent, type TableInfo } from '../../src/kernel/xtables/table-content.ts';
import { TableEdit } from '../../src/kernel/xtables/table-edit.ts';
import type { Rule } from '../../src/netfilter/iptables/rule.ts';
import type { Family } from '../../src/netfilter/runner.ts';

/** The rules of a table by chain: each the number that it compares the mark with, and where it leads. */
export type TableModel = Record<string, string[]>;

/** A table of x_tables without a kernel. */
export interface MemoryTable {
  readonly entries: Buffer;
  readonly info: TableInfo;
  /** Reads it anew, in the order of the chains. Throws where jumps lead to no chain. */
  model(): TableModel;
}

// PREROUTING, OUTPUT and POSTROUTING, as the table raw has two of them.
const VALID_HOOKS = 0b11001;

export const memoryTable = { empty, of, with: withChains };

function empty(family: Family): MemoryTable {
  const writer = new RuleWriter(LAYOUTS[family]);
  const policies = [0, 1, 2].map(() => writer.write({ matches: [], target: { kind: 'accept' } })!);
  const parts = [...policies, writer.writeHead('ERROR')].map(({ slab, start, end }) => slab.subarray(start, end));
  const entries = Buffer.concat(parts);
  const size = parts[0]!.length;
  const none = 0xffff_ffff;
  const hookEntries = [0, none, none, size, 2 * size];
  return of(entries, { validHooks: VALID_HOOKS, hookEntries, entryCount: 4, size: entries.length }, family);
}

function withChains(family: Family, chains: Readonly<Record<string, readonly Rule[]>>): MemoryTable {
  const table = empty(family);
  const entries = Buffer.alloc(65_536);
  table.entries.copy(entries);
  const content = TableContent.read(entries.subarray(0, table.info.size), table.info, LAYOUTS[family])!;
  const edit = new TableEdit('raw', { entries, content, layout: LAYOUTS[family] });
  for (const name of Object.keys(chains)) edit.declare(name);
  for (const [name, rules] of Object.entries(chains)) for (const rule of rules) edit.append(name, rule);
  const wanted = layOutTable(edit, content, table.info);
  moveEntries(entries, wanted, content);
  return of(entries.subarray(0, wanted.size), { ...table.info, ...wanted }, family);
}

function of(entries: Buffer, { validHooks, hookEntries, entryCount, size }: TableInfo, family: Family): MemoryTable {
  const info = { validHooks, hookEntries, entryCount, size };
  const copy = Buffer.alloc(size);
  entries.copy(copy);
  return { entries: copy, info, model: () => readModel(copy, info, family) };
}

interface Entry {
  readonly at: number;
  readonly next: number;
  readonly mark: number | undefined;
  readonly name: string;
  readonly verdict: number;
}

/** A reader of its own, so that a mistake in the one under test is seen. */
function readModel(entries: Buffer, info: TableInfo, family: Family): TableModel {
  const { headerBytes, targetOffsetAt } = LAYOUTS[family];
  const all: Entry[] = [];
  for (let at = 0; at < entries.length; ) {
    const target = at + entries.readUInt16LE(at + targetOffsetAt);
    const next = at + entries.readUInt16LE(at + targetOffsetAt + 2);
    const mark = target > at + headerBytes ? entries.readUInt32LE(at + headerBytes + 32) : undefined;
    const text = (from: number): string => entries.toString('latin1', from, entries.indexOf(0, from));
    const name = text(target + 2) === 'ERROR' ? text(target + 32) : '';
    all.push({ at, next, mark, name, verdict: entries.readInt32LE(target + 32) });
    at = next;
  }
  if (all.length !== info.entryCount) throw new Error(`${all.length} entries where ${info.entryCount} are told`);
  const names = new Map(all.filter(({ name }) => name !== '').map(({ name, next }) => [next, name]));
  const model: TableModel = {};
  let current: string[] = [];
  for (const entry of all.slice(0, -1)) {
    const hook = HOOK_CHAINS.find(
      (_, number) => (VALID_HOOKS & (1 << number)) !== 0 && info.hookEntries[number] === entry.at,
    );
    if (hook !== undefined) model[hook] = current = [];
    if (entry.name !== '') model[entry.name] = current = [];
    if (entry.mark !== undefined) current.push(`${entry.mark}${printVerdict(entry, names)}`);
  }
  return model;
}

function printVerdict({ verdict, next }: Entry, names: ReadonlyMap<number, string>): string {
  if (verdict === next) return '';
  if (verdict === -5) return ' return';
  if (verdict === -2) return ' accept';
  const name = names.get(verdict);
  if (name === undefined) throw new Error(`a jump to ${verdict}, where no chain begins`);
  return ` ${name}`;
}
