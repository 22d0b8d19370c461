import { describe, expect, test } from 'vitest';
import { printRule } from '../../../../src/netfilter/nftables/print-rule.ts';
import type { Table } from '../../../../src/netfilter/nftables/table.ts';
import { buildTable, defaultDispatch } from '../../../../src/proxy/nftables/build-table.ts';
import { DRAWN_NUMBERS } from '../../../../src/proxy/nftables/endpoint-ranges.ts';
import { endpointObjects, serviceObjects } from '../../../../src/proxy/nftables/object-names.ts';
import {
  buildNodeFacts,
  buildProxyEndpoint,
  buildProxyState,
  buildSelectedPort,
  buildServicePort,
} from '../../../helpers/build-proxy-facts.ts';

type PortOptions = NonNullable<Parameters<typeof buildServicePort>[0]>;

const rulesOf = (table: Table, chain: string): string[] | undefined => table.chains.get(chain)?.rules.map(printRule);
const keysOf = (table: Table, set: string): string[] => [...(table.sets.get(set)?.elements.keys() ?? [])];

function tableOf(options: PortOptions, ips: readonly string[] = ['10.244.0.2', '10.244.0.3'], node = buildNodeFacts()) {
  const port = buildServicePort(options);
  const selected = buildSelectedPort(
    port,
    ips.map((ip) => buildProxyEndpoint({ ip, nodeName: 'node-2' })),
    node,
  );
  return { table: buildTable(buildProxyState([selected], node)), objects: serviceObjects(port), port };
}

describe('fixed chains', () => {
  test('have the hooks and priorities of kube-proxy since 1.33', () => {
    const hooks = [...buildTable(buildProxyState([])).chains.values()].flatMap(({ name, hook }) =>
      hook === undefined ? [] : [`${name} ${hook.type} ${hook.hook} ${hook.priority}`],
    );
    expect(hooks).toEqual([
      'filter-prerouting-pre-dnat filter prerouting -110',
      'filter-output-pre-dnat filter output -110',
      'filter-input filter input 0',
      'filter-forward filter forward 0',
      'filter-output filter output 0',
      'nat-prerouting nat prerouting -100',
      'nat-output nat output -100',
      'nat-postrouting nat postrouting 100',
    ]);
  });

  test.each<[string, Parameters<typeof buildNodeFacts>[0], string[]]>([
    [
      'a cluster CIDR',
      {},
      [
        'ip daddr @cluster-ips ip saddr != 10.244.0.0/16 meta mark set meta mark | 0x00004000 comment "masquerade clusterIP traffic from outside cluster"',
      ],
    ],
    [
      'an interface prefix',
      { localDetector: { kind: 'interface-prefix', prefix: 'veth' } },
      [
        'ip daddr @cluster-ips iifname != "veth*" meta mark set meta mark | 0x00004000 comment "masquerade clusterIP traffic from outside cluster"',
      ],
    ],
    ['no detector', { localDetector: { kind: 'none' } }, []],
    [
      'masqueradeAll',
      { masqueradeAll: true, masqueradeMark: 1 },
      ['ip daddr @cluster-ips meta mark set meta mark | 0x00000001 comment "masquerade all clusterIP traffic"'],
    ],
  ])('cluster IP traffic is masqueraded by %s', (_what, options, expected) => {
    const rules = rulesOf(buildTable(buildProxyState([], buildNodeFacts(options))), 'services') ?? [];
    expect(rules.slice(0, -2)).toEqual(expected);
  });

  test('node ports answer on all local addresses but loopback, or on those of a list without loopback', () => {
    expect(rulesOf(buildTable(buildProxyState([])), 'services')?.at(-1)).toBe(
      'fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @service-nodeports',
    );
    const listed = buildNodeFacts({ nodePortAddresses: { kind: 'list', addresses: ['172.18.0.2', '127.0.0.1'] } });
    const table = buildTable(buildProxyState([], listed));
    expect(rulesOf(table, 'services')?.at(-1)).toBe(
      'ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports',
    );
    expect(keysOf(table, 'nodeport-ips')).toEqual(['172.18.0.2']);
  });

  test('unknown cluster IPs are dropped where service CIDRs are known', () => {
    const node = buildNodeFacts({ serviceCIDRs: ['10.96.0.0/12'] });
    expect(rulesOf(buildTable(buildProxyState([], node)), 'cluster-ips-check')).toEqual([
      'ip daddr @cluster-ips reject comment "Reject traffic to invalid ports of ClusterIPs"',
      'ip daddr 10.96.0.0/12 drop comment "Drop traffic to unallocated ClusterIPs"',
    ]);
  });
});

describe('a Service', () => {
  test('with endpoints draws one of them in a single rule, as kube-proxy since 1.36', () => {
    const { table, objects } = tableOf({});
    expect(rulesOf(table, objects.cluster)).toEqual([
      'meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.244.0.2 . 80, 1 : 10.244.0.3 . 80 }',
    ]);
    expect(table.sets.get('service-ips')?.elements.get('10.96.0.10 . tcp . 80')?.value).toEqual({
      kind: 'goto',
      chain: objects.cluster,
    });
    expect(keysOf(table, 'hairpin-connections')).toEqual([
      '10.244.0.2 . 10.244.0.2 . tcp . 80',
      '10.244.0.3 . 10.244.0.3 . tcp . 80',
    ]);
  });

  test('with round robin counts instead', () => {
    const { table, objects } = tableOf({ balancing: 'round-robin' });
    expect(rulesOf(table, objects.cluster)?.[0]).toMatch(/numgen inc mod 2 map/);
  });

  test('with affinity looks for the client first, and remembers it in the chain of its endpoint', () => {
    const { table, objects, port } = tableOf({ affinitySeconds: 10 });
    const { chain, affinitySet } = endpointObjects(port, { ip: '10.244.0.2', port: 80 });
    expect(rulesOf(table, objects.cluster)?.[0]).toBe(`ip saddr @${affinitySet} goto ${chain}`);
    expect(rulesOf(table, objects.cluster)).toHaveLength(3);
    expect(rulesOf(table, chain)).toEqual([
      `update @${affinitySet} { ip saddr }`,
      'meta l4proto tcp dnat to 10.244.0.2:80',
    ]);
    expect(table.sets.get(affinitySet)).toMatchObject({ flags: ['dynamic', 'timeout'], timeoutSeconds: 10 });
  });

  test('without endpoints is rejected, not dropped, on all its addresses', () => {
    const { table } = tableOf({ nodePort: 31_000, externalIPs: ['192.0.2.1'], loadBalancerVIPs: ['192.0.2.2'] }, []);
    const verdicts = [
      ...table.sets.get('no-endpoint-services')!.elements.values(),
      ...table.sets.get('no-endpoint-nodeports')!.elements.values(),
    ];
    expect(verdicts.map(({ key }) => key)).toEqual([
      '10.96.0.10 . tcp . 80',
      '192.0.2.1 . tcp . 80',
      '192.0.2.2 . tcp . 80',
      'tcp . 31000',
    ]);
    for (const { value, comment } of verdicts) {
      expect(value).toEqual({ kind: 'goto', chain: 'reject-chain' });
      expect(comment).toBe('ns1/svc1:p80');
    }
    expect(keysOf(table, 'service-ips')).toEqual([]);
  });

  test('of policy Local without endpoint here is dropped from outside, and short-circuited for pods and the node', () => {
    const { table, objects } = tableOf({ nodePort: 31_000, externalPolicyLocal: true });
    expect(table.sets.get('no-endpoint-nodeports')?.elements.get('tcp . 31000')?.value).toEqual({ kind: 'drop' });
    expect(rulesOf(table, objects.external)).toEqual([
      `ip saddr 10.244.0.0/16 goto ${objects.cluster} comment "short-circuit pod traffic"`,
      'fib saddr type local jump mark-for-masquerade comment "masquerade local traffic"',
      `fib saddr type local goto ${objects.cluster} comment "short-circuit local traffic"`,
    ]);
    expect(table.chains.has(objects.local)).toBe(false);
  });

  test.each<[string, readonly string[], string | undefined]>([
    ['one range', ['203.0.113.0/25'], 'ip saddr != 203.0.113.0/25 drop'],
    [
      'the node within a range, which adds the addresses themselves',
      ['172.18.0.0/16'],
      'ip saddr != { 172.18.0.0/16, 192.0.2.1 } drop',
    ],
    [
      'a range within another, which the kernel would refuse',
      ['10.0.0.0/8', '10.1.0.0/16', '10.0.0.0/8'],
      'ip saddr != 10.0.0.0/8 drop',
    ],
    ['everybody', ['0.0.0.0/0', '10.0.0.0/8'], undefined],
  ])('with source ranges: %s', (_what, loadBalancerSourceRanges, expected) => {
    const { table, objects } = tableOf({ loadBalancerVIPs: ['192.0.2.1'], loadBalancerSourceRanges });
    expect(rulesOf(table, objects.firewall)).toEqual(expected === undefined ? undefined : [expected]);
    expect(keysOf(table, 'firewall-ips')).toEqual(expected === undefined ? [] : ['192.0.2.1 . tcp . 80']);
  });

  test('whose addresses overlap gets one element for each', () => {
    const { table } = tableOf({
      externalIPs: ['10.96.0.10', '192.0.2.1'],
      loadBalancerVIPs: ['192.0.2.1', '192.0.2.1'],
    });
    expect(keysOf(table, 'service-ips')).toEqual(['10.96.0.10 . tcp . 80', '192.0.2.1 . tcp . 80']);
  });

  test('with a name or node port that cannot be is refused', () => {
    expect(() => tableOf({ name: 'a b' })).toThrow(expect.objectContaining({ code: 'ERR_INVALID_MANIFEST' }));
    expect(() => tableOf({ nodePort: 70_000 })).toThrow(expect.objectContaining({ code: 'ERR_INVALID_MANIFEST' }));
  });

  test('with a long name has its comments clipped to what nft takes', () => {
    const { table } = tableOf({ namespace: 'n'.repeat(63), name: 's'.repeat(63), portName: 'p'.repeat(15) }, []);
    const [{ comment } = { comment: '' }] = table.sets.get('no-endpoint-services')!.elements.values();
    expect(comment).toHaveLength(128);
  });
});

test('of two Services that want one node port the first by name has it', () => {
  const node = buildNodeFacts();
  const [b, a] = ['b', 'a'].map((name) =>
    buildSelectedPort(buildServicePort({ name, nodePort: 31_000 }), [buildProxyEndpoint()], node),
  );
  const table = buildTable(buildProxyState([b!, a!], node));
  expect(table.sets.get('service-nodeports')?.elements.get('tcp . 31000')?.value).toMatchObject({
    chain: serviceObjects(a!.port).external,
  });
});

describe('endpoints in shared maps', () => {
  const shares = (count: number): number[] => {
    const ips = Array.from({ length: count }, (_, index) => `10.244.${index >> 8}.${index & 255}`);
    const port = buildServicePort();
    const state = buildProxyState([
      buildSelectedPort(
        port,
        ips.map((ip) => buildProxyEndpoint({ ip })),
      ),
    ]);
    const table = buildTable(state, defaultDispatch(0));
    expect(rulesOf(table, serviceObjects(port).cluster)).toEqual([
      `meta l4proto tcp dnat ip to numgen random mod ${DRAWN_NUMBERS} map @service-endpoints-0`,
    ]);
    return keysOf(table, 'service-endpoints-0').map((key) => {
      const [first = 0, last = 0] = key.split('-').map(Number);
      return last - first + 1;
    });
  };

  test.each([1, 2, 3, 7, 10, 16, 22])('%i endpoints have exactly equal shares of the numbers', (count) => {
    expect(new Set(shares(count))).toEqual(new Set([DRAWN_NUMBERS / count]));
  });

  test('1,000 endpoints differ by at most one number, and no number is left out', () => {
    const widths = shares(1000);
    expect(Math.max(...widths) - Math.min(...widths)).toBeLessThanOrEqual(1);
    expect(widths.reduce((sum, width) => sum + width, 0)).toBe(DRAWN_NUMBERS);
  });

  test('chains have ranges of their own, 8 to a map', () => {
    const ports = Array.from({ length: 9 }, (_, index) =>
      buildSelectedPort(buildServicePort({ name: `svc${index}`, clusterIP: `10.96.0.${index}` }), [
        buildProxyEndpoint(),
      ]),
    );
    const table = buildTable(buildProxyState(ports), defaultDispatch(0));
    expect(table.sets.get('service-endpoints-0')?.elements.size).toBe(8);
    expect(table.sets.get('service-endpoints-1')?.elements.size).toBe(1);
    for (const key of keysOf(table, 'service-endpoints-0')) expect(Number(key.split('-')[1])).toBeLessThan(2 ** 32);
  });
});
