import { describe, expect, it } from 'vitest';
import { LAYOUTS } from '../../../../src/kernel/xtables/entry-layout.ts';
import { layOutTable } from '../../../../src/kernel/xtables/lay-out-table.ts';
import { moveEntries } from '../../../../src/kernel/xtables/move-entries.ts';
import { TableContent, type TableInfo } from '../../../../src/kernel/xtables/table-content.ts';
import { TableEdit } from '../../../../src/kernel/xtables/table-edit.ts';
import type { Rule } from '../../../../src/netfilter/iptables/rule.ts';
import { type MemoryTable, memoryTable, type TableModel } from '../../../helpers/memory-table.ts';
import { seededRandom } from '../../../helpers/seeded-random.ts';

const RUNS = Number(process.env['TOWTANK_PROPERTY_RUNS'] ?? 15);

describe.each(['ipv4', 'ipv6'] as const)('a table of %s in the form of the kernel', (family) => {
  const layout = LAYOUTS[family];
  const change = (table: MemoryTable, commands: (edit: TableEdit) => boolean): MemoryTable | undefined => {
    const entries = Buffer.alloc(65_536);
    table.entries.copy(entries);
    const content = TableContent.read(entries.subarray(0, table.info.size), table.info, layout)!;
    const edit = new TableEdit('raw', { entries, content, layout });
    if (!commands(edit)) return undefined;
    const wanted = layOutTable(edit, content, table.info);
    if (!moveEntries(entries.subarray(0, Math.max(table.info.size, wanted.size)), wanted, content)) return undefined;
    return memoryTable.of(entries.subarray(0, wanted.size), { ...table.info, ...wanted }, family);
  };

  it('an empty one has the chains of its hooks', () => {
    expect(memoryTable.empty(family).model()).toEqual({ PREROUTING: [], OUTPUT: [], POSTROUTING: [] });
  });

  it.each(Array.from({ length: RUNS }, (_, seed) => 900 + seed))(
    'random changes give what they say (seed %i)',
    (seed) => {
      const random = seededRandom(seed);
      let table = memoryTable.empty(family);
      let model = table.model();
      for (let step = 0; step < 25; step++) {
        const wanted = structuredClone(model) as TableModel;
        const made = change(table, (edit) => {
          for (let count = 1 + random() * 6; count > 0; count--) if (!randomCommand(random, edit, wanted)) return false;
          return true;
        });
        expect(made?.model()).toEqual(wanted);
        expect(Object.keys(made!.model())).toEqual(inOrder(Object.keys(wanted)));
        [table, model] = [made!, wanted];
      }
    },
  );

  it('refuses what the program refuses, and what only the program knows', () => {
    const table = memoryTable.empty(family);
    const refused: ((edit: TableEdit) => boolean)[] = [
      (edit) => edit.append('NONE', { matches: [], target: { kind: 'accept' } }),
      (edit) => edit.insert('OUTPUT', 2, { matches: [], target: { kind: 'accept' } }),
      (edit) => edit.append('OUTPUT', { matches: [], target: { kind: 'jump', chain: 'NONE' } }),
      (edit) =>
        edit.append('OUTPUT', { matches: [{ kind: 'in-interface', name: 'eth0' }], target: { kind: 'accept' } }),
      (edit) => edit.append('OUTPUT', { matches: [{ kind: 'nfacct', name: 'x' }] }),
      (edit) => edit.append('OUTPUT', { matches: [], target: { kind: 'other', words: ['-j', 'LOG'] } }),
      (edit) => edit.remove('OUTPUT', { matches: [], target: { kind: 'accept' } }),
      (edit) => edit.removeChain('OUTPUT'),
      (edit) => edit.removeChain('NONE'),
      (edit) => edit.declare('OUTPUT'),
      (edit) => edit.declare('a'.repeat(29)),
      (edit) => edit.declare('two words'),
      (edit) => edit.declare('A') && edit.append('A', { matches: [] }) && edit.removeChain('A'),
    ];
    for (const commands of refused) expect(change(table, commands), String(commands)).toBeUndefined();
  });

  it('a chain that rules lead to is not removed', () => {
    const jump: Rule = { matches: [], target: { kind: 'jump', chain: 'A' } };
    const table = change(memoryTable.empty(family), (edit) => edit.declare('A') && edit.append('OUTPUT', jump))!;
    expect(change(table, (edit) => edit.removeChain('A'))).toBeUndefined();
    expect(change(table, (edit) => edit.remove('OUTPUT', jump) && edit.removeChain('A'))?.model()).toEqual(
      memoryTable.empty(family).model(),
    );
  });

  it('bytes that are no table are refused, whatever they are', () => {
    const random = seededRandom(77);
    const table = change(memoryTable.empty(family), (edit) => edit.declare('A') && edit.append('A', { matches: [] }))!;
    for (let count = 0; count < 500; count++) {
      const bytes = Buffer.from(table.entries);
      for (let flips = 1 + random() * 4; flips > 0; flips--)
        bytes[Math.floor(random() * bytes.length)] = random() * 256;
      const content = TableContent.read(bytes, table.info as TableInfo, layout);
      for (let chain = 0; chain < (content?.chainCount ?? 0); chain++)
        expect(content!.chain(chain).end).toBeLessThan(bytes.length);
    }
  });
});

const NAMES = ['KUBE-A', 'KUBE-B', 'KUBE-C', 'KUBE-SVC-1', 'KUBE-SVC-10', 'Z'];
let nextId = 1;

// Every rule has a number of its own, so that it can be told from all others.
function randomRule(random: () => number, model: TableModel, chain: string): [rule: Rule, text: string] {
  const id = nextId++;
  const matches: Rule['matches'] = [{ kind: 'mark', value: id, mask: 0xffff_ffff }];
  const others = Object.keys(model).filter((name) => NAMES.includes(name) && name > chain);
  const kind = Math.floor(random() * 4);
  if (kind === 0) return [{ matches }, `${id}`];
  if (kind === 1) return [{ matches, target: { kind: 'return' } }, `${id} return`];
  const to = others[Math.floor(random() * others.length)];
  if (to === undefined) return [{ matches, target: { kind: 'accept' } }, `${id} accept`];
  return [{ matches, target: { kind: kind === 2 ? 'jump' : 'goto', chain: to } }, `${id} ${to}`];
}

function ruleOf(text: string): Rule {
  const [id, target] = text.split(' ');
  const matches: Rule['matches'] = [{ kind: 'mark', value: Number(id), mask: 0xffff_ffff }];
  if (target === undefined) return { matches };
  if (target === 'return' || target === 'accept') return { matches, target: { kind: target } };
  return { matches, target: { kind: 'jump', chain: target } };
}

function randomCommand(random: () => number, edit: TableEdit, model: TableModel): boolean {
  const name = NAMES[Math.floor(random() * NAMES.length)]!;
  const present = Object.keys(model);
  const chain = present[Math.floor(random() * present.length)]!;
  const rules = model[chain]!;
  switch (Math.floor(random() * 6)) {
    case 0:
    case 1:
      model[name] = [];
      return edit.declare(name);
    case 2:
    case 3: {
      const [rule, text] = randomRule(random, model, chain);
      rules.push(text);
      return edit.append(chain, rule);
    }
    case 4: {
      // Into the middle of what is being written is the program's.
      const [rule, text] = randomRule(random, model, chain);
      rules.unshift(text);
      return edit.insert(chain, 1, rule);
    }
    default: {
      if (!NAMES.includes(chain) || isReferenced(model, chain)) return true;
      delete model[chain];
      return edit.declare(chain) && edit.removeChain(chain);
    }
  }
}

const isReferenced = (model: TableModel, chain: string): boolean =>
  Object.values(model).some((rules) => rules.some((rule) => rule.split(' ')[1] === chain));

const inOrder = (names: readonly string[]): string[] => [
  ...['PREROUTING', 'OUTPUT', 'POSTROUTING'],
  ...names.filter((name) => NAMES.includes(name)).sort(),
];

describe('single rules', () => {
  const layout = LAYOUTS.ipv4;
  it.each([
    ['the first', ['1', '2 accept', '3 return'], '1', ['2 accept', '3 return']],
    ['one in the middle', ['1', '2 KUBE-A', '3 return'], '2 KUBE-A', ['1', '3 return']],
    ['the last', ['1', '2', '3'], '3', ['1', '2']],
    ['the first of two that are alike', ['1', '2 return', '1'], '1', ['2 return', '1']],
  ])('%s is removed', (_, rules, gone, left) => {
    const table = memoryTable.with('ipv4', { 'KUBE-A': [], 'KUBE-B': rules.map(ruleOf) });
    const entries = Buffer.alloc(65_536);
    table.entries.copy(entries);
    const content = TableContent.read(entries.subarray(0, table.info.size), table.info, layout)!;
    const edit = new TableEdit('raw', { entries, content, layout });
    expect(edit.remove('KUBE-B', ruleOf(gone))).toBe(true);
    expect(edit.insert('KUBE-B', 2, ruleOf('9'))).toBe(true);
    const wanted = layOutTable(edit, content, table.info);
    expect(moveEntries(entries, wanted, content)).toBe(true);
    const made = memoryTable.of(entries.subarray(0, wanted.size), { ...table.info, ...wanted }, 'ipv4');
    expect(made.model()['KUBE-B']).toEqual([left[0], '9', ...left.slice(1)]);
    expect(wanted.counters.reduce((sum, { count }) => sum + count, 0)).toBe(wanted.entryCount - 1);
  });
});
