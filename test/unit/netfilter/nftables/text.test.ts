import { describe, expect, test } from 'vitest';
import { parseTables } from '../../../../src/netfilter/nftables/parse-tables.ts';
import { printTable } from '../../../../src/netfilter/nftables/print-table.ts';
import { printTransaction } from '../../../../src/netfilter/nftables/print-transaction.ts';
import type { SetDeclaration, Table } from '../../../../src/netfilter/nftables/table.ts';
import type { Operation } from '../../../../src/netfilter/nftables/transaction.ts';
import { seededRandom } from '../../../helpers/seeded-random.ts';

const listing = `table ip kube-proxy {
	comment "rules for kube-proxy"
	set cluster-ips {
		type ipv4_addr
		comment "Active ClusterIPs"
		elements = { 172.30.0.41, 172.30.0.42,
			     172.30.0.43 }
	}

	map no-endpoint-services {
		type ipv4_addr . inet_proto . inet_service : verdict
		elements = { 1.2.3.4 . tcp . 80 comment "ns2/svc2:p80" : drop,
			     172.30.0.46 . tcp . 80 : goto reject-chain }
	}

	map service-endpoints-0 {
		typeof numgen random mod 2 : ip daddr . th dport
		flags interval
		elements = { 0-77597519 : 10.0.0.1 . 8080, 77597520-155195039 : 10.0.0.2 . 8080 }
	}

	set affinity-X {
		type ipv4_addr
		size 65535
		flags dynamic,timeout
		timeout 1d2h3m4s
		elements = { 10.0.0.9 timeout 3h expires 2h59m58s }
	}

	counter some-counter {
		packets 0 bytes 0
	}

	chain filter-input {
		type filter hook input priority filter + 10; policy drop;
		ct state established,related accept
		tcp dport { 22, 80-90 } counter packets 4 bytes 200 accept comment "ssh; and more"
		iifname "veth*" ip saddr != { 10.0.0.0/8, 1.2.3.4 } log prefix "x" drop
	}

	chain reject-chain {
		comment "helper"
		reject with icmp admin-prohibited
	}
}
`;

describe('what nft lists', () => {
  const [table] = parseTables(listing);

  test('is read as data: types, flags, elements with values and comments', () => {
    expect(table).toMatchObject({ family: 'ip', name: 'kube-proxy', comment: 'rules for kube-proxy' });
    expect([...table!.sets.get('cluster-ips')!.elements.keys()]).toEqual(['172.30.0.41', '172.30.0.42', '172.30.0.43']);
    const services = table!.sets.get('no-endpoint-services')!;
    expect(services.key).toEqual(['ipv4_addr', 'inet_proto', 'inet_service']);
    expect(services.data).toBe('verdict');
    expect([...services.elements.values()]).toEqual([
      { key: '1.2.3.4 . tcp . 80', value: { kind: 'drop' }, comment: 'ns2/svc2:p80' },
      { key: '172.30.0.46 . tcp . 80', value: { kind: 'goto', chain: 'reject-chain' } },
    ]);
    const endpoints = table!.sets.get('service-endpoints-0')!;
    expect(endpoints).toMatchObject({ key: ['number'], data: ['ipv4_addr', 'inet_service'], flags: ['interval'] });
    expect(endpoints.elements.get('0-77597519')?.value).toBe('10.0.0.1 . 8080');
  });

  test('keeps what a dynamic set was declared as, and not how long its elements still have', () => {
    const affinity = table!.sets.get('affinity-X')!;
    expect(affinity).toMatchObject({ flags: ['dynamic', 'timeout'], timeoutSeconds: 93_784 });
    expect([...affinity.elements.values()]).toEqual([{ key: '10.0.0.9' }]);
  });

  test('names priorities and policies', () => {
    expect(table!.chains.get('filter-input')?.hook).toEqual({
      type: 'filter',
      hook: 'input',
      priority: 10,
      policy: 'drop',
    });
  });

  test('of foreign rules what is not understood is kept as text, from there to the end', () => {
    const [first, second, third] = table!.chains.get('filter-input')!.rules;
    expect(first?.statements[0]).toEqual({
      kind: 'match',
      fields: ['ct state'],
      in: { elements: [{ key: 'established' }, { key: 'related' }] },
    });
    expect(second?.comment).toBe('ssh; and more');
    expect(second?.statements.map(({ kind }) => kind)).toEqual(['match', 'counter', 'verdict']);
    expect(third?.statements.at(-1)).toEqual({ kind: 'other', text: 'log prefix "x" drop' });
    expect(table!.chains.get('reject-chain')?.rules[0]?.statements).toEqual([
      { kind: 'reject', with: 'icmp admin-prohibited' },
    ]);
  });

  test('reads several tables and passes over families that see no IP packets', () => {
    const tables = parseTables(`${listing}table bridge x {\n}\ntable inet y {\n\tchain c {\n\t}\n}\n`);
    expect(tables.map(({ family, name }) => `${family} ${name}`)).toEqual(['ip kube-proxy', 'inet y']);
  });

  test.each([
    'table ip',
    'table ip x {',
    'table ip x {\n\tset s {\n\t\telements = { 1.2.3.4',
    'chain x { }',
    'table ip x {\n\tchain c {\n\t\ttype filter hook input priority soon;\n\t}\n}',
  ])('a listing cut short or garbled is refused with ERR_PARSE_RULES: %j', (text) => {
    expect(() => parseTables(text)).toThrow(expect.objectContaining({ code: 'ERR_PARSE_RULES' }));
  });

  test('prints so that it is read as the same again', () => {
    const understood: Table = { ...table!, sets: new Map([...table!.sets].filter(([name]) => name !== 'affinity-X')) };
    expect(parseTables(printTable(understood))).toEqual([understood]);
  });
});

test('whatever a listing is mutilated to, it is read or refused, and soon', () => {
  const seed = Number(process.env['TOWTANK_SEED'] ?? 5);
  const random = seededRandom(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const words = listing.split(/(\s+)/);
  for (let round = 0; round < 1500; round++) {
    const mutilated = [...words];
    for (let cut = 0; cut <= below(4); cut++) {
      const word = ['{', '}', ',', '.', ':', '"', ';', 'vmap', 'numgen', words[below(words.length)]!][below(10)]!;
      mutilated.splice(below(mutilated.length), below(3), ...(random() < 0.5 ? [word, ' '] : []));
    }
    const text = mutilated.slice(0, random() < 0.2 ? below(mutilated.length) : undefined).join('');
    try {
      parseTables(text);
    } catch (error) {
      expect(error, `TOWTANK_SEED=${seed} round ${round}`).toMatchObject({ code: 'ERR_PARSE_RULES' });
    }
  }
});

describe('a transaction as script', () => {
  const map: SetDeclaration = {
    name: 'm',
    key: ['ipv4_addr', 'inet_proto', 'inet_service'],
    data: 'verdict',
    flags: [],
    comment: 'say "hi"',
  };
  const print = (...operations: readonly Operation[]) => printTransaction({ family: 'ip', table: 't', operations });

  test('writes an owned table, and rules that come before others from the last to the first', () => {
    const jumpTo = (chain: string) => ({
      statements: [{ kind: 'verdict', verdict: { kind: 'jump', chain } } as const],
    });
    expect(
      print(
        { kind: 'add-table', comment: 'ours', isOwned: true },
        { kind: 'insert-rules', chain: 'c', rules: [jumpTo('d'), jumpTo('e')] },
      ),
    ).toBe(`add table ip t { flags owner; comment "ours"; }
insert rule ip t c jump e
insert rule ip t c jump d
`);
  });

  test('refuses what the language has no words for', () => {
    expect(() => print({ kind: 'delete-rules-behind', chain: 'c', count: 2 })).toThrow(/2 rules of chain c/);
  });

  test('writes each operation as one line', () => {
    expect(
      print(
        { kind: 'add-table', comment: 'ours' },
        { kind: 'delete-table' },
        {
          kind: 'add-chain',
          chain: { name: 'c', hook: { type: 'nat', hook: 'prerouting', priority: -100, policy: 'accept' } },
        },
        { kind: 'add-chain', chain: { name: 'd', comment: 'why' } },
        { kind: 'flush-chain', chain: 'c' },
        { kind: 'add-set', set: map },
        {
          kind: 'add-rule',
          chain: 'c',
          rule: { statements: [{ kind: 'verdict', verdict: { kind: 'jump', chain: 'd' } }], comment: 'x' },
        },
        { kind: 'delete-set', set: 'old' },
        { kind: 'delete-chain', chain: 'd' },
      ),
    ).toBe(`add table ip t { comment "ours"; }
delete table ip t
add chain ip t c { type nat hook prerouting priority -100; policy accept; }
add chain ip t d { comment "why"; }
flush chain ip t c
add map ip t m { type ipv4_addr . inet_proto . inet_service : verdict; comment "say 'hi'"; }
add rule ip t c jump d comment "x"
delete set ip t old
delete chain ip t d
`);
  });

  test('writes elements in lines that nft can hold, and deletes data by key alone', () => {
    const elements = Array.from({ length: 1001 }, (_, index) => ({
      key: String(index),
      value: `10.0.0.1 . ${index + 1}`,
    }));
    const numbers: SetDeclaration = {
      name: 'n',
      key: ['number'],
      data: ['ipv4_addr', 'inet_service'],
      flags: ['interval'],
    };
    expect(print({ kind: 'add-elements', set: numbers, elements }).trim().split('\n')).toHaveLength(3);
    expect(print({ kind: 'delete-elements', set: numbers, elements: elements.slice(0, 2) })).toBe(
      'delete element ip t n { 0, 1 }\n',
    );
    expect(
      print({
        kind: 'delete-elements',
        set: map,
        elements: [{ key: '1.2.3.4 . tcp . 80', value: { kind: 'goto', chain: 'c' } }],
      }),
    ).toBe('delete element ip t m { 1.2.3.4 . tcp . 80 : goto c }\n');
  });

  test('says how long a client is still remembered', () => {
    const set: SetDeclaration = { name: 'a', key: ['ipv4_addr'], flags: ['dynamic', 'timeout'], timeoutSeconds: 60 };
    expect(print({ kind: 'add-elements', set, elements: [{ key: '10.0.0.9', expiresSeconds: 11.2 }] })).toBe(
      'add element ip t a { 10.0.0.9 expires 12s }\n',
    );
  });
});
