import { describe, expect, it } from 'vitest';
import { makeBeforeBreak } from '../../../../src/netfilter/nftables/make-before-break.ts';
import { parseTables } from '../../../../src/netfilter/nftables/parse-tables.ts';
import type { Rule } from '../../../../src/netfilter/nftables/rule.ts';
import type { SetDeclaration } from '../../../../src/netfilter/nftables/table.ts';
import type { Operation } from '../../../../src/netfilter/nftables/transaction.ts';

const [rule, other] = ruleOf('accept', 'drop');
const map: SetDeclaration = { name: 'm', key: ['number'], data: ['ipv4_addr'], flags: ['interval'] };
const set: SetDeclaration = { name: 's', key: ['ipv4_addr'], flags: [] };

function ruleOf(...verdicts: readonly string[]): [Rule, Rule] {
  const [table] = parseTables(`table ip t {\n\tchain c {\n\t\t${verdicts.join('\n\t\t')}\n\t}\n}`);
  return table!.chains.get('c')!.rules as [Rule, Rule];
}

const elements = (kind: 'add-elements' | 'delete-elements', into: SetDeclaration, ...keys: string[]): Operation => ({
  kind,
  set: into,
  elements: keys.map((key) => ({ key, ...(into.data === undefined ? {} : { value: '10.0.0.1' }) })),
});

describe('a transaction is parted so that', () => {
  it('new rules come before the old ones, which go in the second step', () => {
    const operations: Operation[] = [
      { kind: 'flush-chain', chain: 'c' },
      { kind: 'add-chain', chain: { name: 'd' } },
      { kind: 'add-rule', chain: 'd', rule },
      { kind: 'add-rule', chain: 'c', rule: other },
      { kind: 'add-rule', chain: 'c', rule },
    ];
    expect(makeBeforeBreak(operations)).toEqual({
      make: [
        { kind: 'add-chain', chain: { name: 'd' } },
        { kind: 'add-rule', chain: 'd', rule },
        { kind: 'insert-rules', chain: 'c', rules: [other, rule] },
      ],
      rest: [{ kind: 'delete-rules-behind', chain: 'c', count: 2 }],
    });
  });

  it('chains and sets go in the second step', () => {
    const operations: Operation[] = [
      { kind: 'flush-chain', chain: 'c' },
      { kind: 'delete-set', set: 's' },
      { kind: 'delete-chain', chain: 'c' },
    ];
    expect(makeBeforeBreak(operations)).toEqual({ make: [], rest: operations });
  });

  it('elements of maps go in the second step, where no others take their places', () => {
    const operations = [
      elements('delete-elements', map, '0-9', '10-19', '40', '50-59', '70-79'),
      elements('add-elements', map, '5-14', '41-42', '50', '60-69'),
    ];
    expect(makeBeforeBreak(operations)).toEqual({
      make: [elements('delete-elements', map, '0-9', '10-19', '50-59'), operations[1]],
      rest: [elements('delete-elements', map, '40', '70-79')],
    });
  });

  it('elements of sets, which lead nowhere, go at once', () => {
    const operations = [elements('delete-elements', set, '10.0.0.1')];
    expect(makeBeforeBreak(operations)).toEqual({ make: operations, rest: [] });
  });

  it('a set that another of its name replaces leaves all in one step', () => {
    const operations: Operation[] = [
      { kind: 'flush-chain', chain: 'c' },
      { kind: 'delete-set', set: 's' },
      { kind: 'add-set', set },
      { kind: 'add-rule', chain: 'c', rule },
    ];
    expect(makeBeforeBreak(operations)).toEqual({ make: operations, rest: [] });
  });
});
