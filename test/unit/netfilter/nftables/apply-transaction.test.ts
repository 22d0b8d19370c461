import { describe, expect, test } from 'vitest';
import { applyTransaction } from '../../../../src/netfilter/nftables/apply-transaction.ts';
import { diffTables } from '../../../../src/netfilter/nftables/diff-tables.ts';
import { parseTables } from '../../../../src/netfilter/nftables/parse-tables.ts';
import type { SetDeclaration, Table } from '../../../../src/netfilter/nftables/table.ts';
import type { Operation } from '../../../../src/netfilter/nftables/transaction.ts';

const map: SetDeclaration = { name: 'm', key: ['ipv4_addr'], data: 'verdict', flags: [] };
const toC = { key: '10.0.0.1', value: { kind: 'goto', chain: 'c' } } as const;
const apply = (...operations: readonly Operation[]) =>
  applyTransaction(undefined, { family: 'ip', table: 't', operations });
const base: readonly Operation[] = [
  { kind: 'add-table' },
  { kind: 'add-chain', chain: { name: 'c' } },
  { kind: 'add-set', set: map },
  { kind: 'add-elements', set: map, elements: [toC] },
];

describe('the table in memory refuses what the kernel refuses', () => {
  test.each<[string, readonly Operation[]]>([
    ['a chain in a table that does not exist', [{ kind: 'add-chain', chain: { name: 'c' } }]],
    [
      'a rule in a chain that does not exist',
      [{ kind: 'add-table' }, { kind: 'add-rule', chain: 'c', rule: { statements: [] } }],
    ],
    ['to delete a chain that a verdict leads to', [...base, { kind: 'delete-chain', chain: 'c' }]],
    [
      'to delete a chain that has rules',
      [
        ...base.slice(0, 2),
        { kind: 'add-rule', chain: 'c', rule: { statements: [] } },
        { kind: 'delete-chain', chain: 'c' },
      ],
    ],
    [
      'to delete an element that is not there',
      [...base, { kind: 'delete-elements', set: map, elements: [{ key: '10.0.0.2' }] }],
    ],
    [
      'another value for an element that is there',
      [...base, { kind: 'add-elements', set: map, elements: [{ key: toC.key, value: { kind: 'drop' } }] }],
    ],
    ['another declaration of a set', [...base, { kind: 'add-set', set: { ...map, flags: ['interval'] } }]],
    ['a verdict to a chain that nobody adds', [...base.slice(0, 1), ...base.slice(2)]],
    [
      'to delete a set that a rule asks',
      [
        ...base,
        {
          kind: 'add-rule',
          chain: 'c',
          rule: { statements: [{ kind: 'vmap', key: ['ip daddr'], map: { name: 'm' } }] },
        },
        { kind: 'delete-set', set: 'm' },
      ],
    ],
  ])('%s', (_what, operations) => {
    expect(() => apply(...operations)).toThrow(expect.objectContaining({ code: 'ERR_PARSE_RULES' }));
  });

  test('and takes what the kernel takes', () => {
    const table = apply(
      ...base,
      ...base,
      { kind: 'delete-elements', set: map, elements: [toC] },
      { kind: 'delete-chain', chain: 'c' },
    );
    expect([...(table?.chains.keys() ?? [])]).toEqual([]);
    expect(apply(...base, { kind: 'delete-table' })).toBeUndefined();
  });
});

describe('the difference of two tables', () => {
  const read = (text: string): Table => parseTables(text)[0]!;
  const before = read(
    'table ip t {\n\tset s {\n\t\ttype ipv4_addr\n\t\telements = { 10.0.0.1, 10.0.0.2 }\n\t}\n\tchain c {\n\t\tip saddr @s drop\n\t}\n\tchain d {\n\t\tdrop\n\t}\n}',
  );

  test('is nothing for equal tables', () => {
    expect(
      diffTables(
        before,
        read(
          'table ip t {\n\tset s {\n\t\ttype ipv4_addr\n\t\telements = { 10.0.0.2, 10.0.0.1 }\n\t}\n\tchain d {\n\t\tdrop\n\t}\n\tchain c {\n\t\tip saddr @s drop\n\t}\n}',
        ),
      ),
    ).toEqual([]);
  });

  test('is one element where one element differs', () => {
    const sets = new Map(before.sets).set('s', {
      ...before.sets.get('s')!,
      elements: new Map([['10.0.0.1', { key: '10.0.0.1' }]]),
    });
    expect(diffTables(before, { ...before, sets })).toMatchObject([
      { kind: 'delete-elements', elements: [{ key: '10.0.0.2' }] },
    ]);
  });

  test('rewrites a chain whose rules differ and leaves the others', () => {
    const chains = new Map(before.chains).set('d', { name: 'd', rules: [] });
    expect(diffTables(before, { ...before, chains })).toEqual([{ kind: 'flush-chain', chain: 'd' }]);
  });

  test('replaces the table where the kernel cannot change in place', () => {
    const sets = new Map(before.sets).set('s', { ...before.sets.get('s')!, flags: ['interval'] });
    expect(
      diffTables(before, { ...before, sets })
        .slice(0, 3)
        .map(({ kind }) => kind),
    ).toEqual(['add-table', 'delete-table', 'add-table']);
  });
});
