import { describe, expect, it } from 'vitest';
import { parseRestore, printRestore } from '../../../../src/netfilter/iptables/restore-input.ts';

describe('an input of iptables-restore', () => {
  const text = '*nat\n:KUBE-A - [0:0]\n-A KUBE-A -j RETURN\nCOMMIT\n*filter\nCOMMIT\n';

  it('is split by tables and printed as it was', () => {
    const sections = parseRestore(text);
    expect(sections).toEqual([
      { table: 'nat', commands: [':KUBE-A - [0:0]', '-A KUBE-A -j RETURN'] },
      { table: 'filter', commands: [] },
    ]);
    expect(printRestore(sections!)).toBe(text);
    expect(printRestore(text)).toBe(text);
    expect(printRestore([])).toBe('');
  });

  it('prints rules that are data as their lines', () => {
    const chain = {
      name: 'KUBE-A',
      rules: [{ matches: [], target: { kind: 'return' } as const }],
      lines: '-A KUBE-A -j RETURN',
    };
    const sections = [
      { table: 'nat', commands: [':KUBE-A - [0:0]', chain] },
      { table: 'filter', commands: [] },
    ];
    expect(printRestore(sections)).toBe(text);
  });

  it.each([
    '-A INPUT -j ACCEPT\n',
    '*nat\n-A OUTPUT -j ACCEPT\n',
    '# a comment\n*nat\nCOMMIT\n',
    '*two words\nCOMMIT\n',
  ])('that is not made of tables is not split: %j', (other) => {
    expect(parseRestore(other)).toBeUndefined();
  });
});
