import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../../src/errors/towtank-error.ts';
import { parseRuleset } from '../../../src/netfilter/iptables/parse-ruleset.ts';
import { parseTables } from '../../../src/netfilter/nftables/parse-tables.ts';
import {
  buildOffline,
  type OfflineOptions,
  offlineJson,
  parsePacketQuestion,
  printOffline,
} from '../../../src/proxy/offline.ts';
import { buildEndpoint, buildEndpointSlice, buildNode, buildPod, buildService } from '../../helpers/build-objects.ts';

const objects = [
  buildNode({ name: 'node-1', ips: ['172.18.0.2', 'fd00::2'], zone: 'a' }),
  {
    kind: 'List',
    apiVersion: 'v1',
    items: [buildService({ type: 'NodePort', ports: [{ port: 80, protocol: 'TCP', nodePort: 30_080 }] }), buildPod()],
  },
  {
    kind: 'EndpointSliceList',
    items: [
      (({ kind: _, apiVersion: __, ...rest }) => rest)(
        buildEndpointSlice({
          endpoints: [buildEndpoint({ ip: '10.244.0.2' }), buildEndpoint({ ip: '10.244.1.2', nodeName: 'node-2' })],
        }),
      ),
    ],
  },
];
const options = (extra: Partial<OfflineOptions> = {}): OfflineOptions => ({
  nodeName: 'node-1',
  mode: 'iptables',
  config: { clusterCIDRs: ['10.244.0.0/16'] },
  ...extra,
});

describe('rules without a cluster', () => {
  it('are printed so that iptables-restore reads them', () => {
    const text = printOffline(buildOffline(objects, options()));
    const ruleset = parseRuleset('ipv4', text);
    expect(ruleset.tables.get('nat')?.chains.get('KUBE-NODEPORTS')?.rules).toHaveLength(1);
    expect(text).toContain('# note: not looked at: Pod');
  });

  it('are printed so that nft reads them', () => {
    const text = printOffline(buildOffline(objects, options({ mode: 'nftables' })));
    const withoutComments = text.replace(/^#.*\n/gm, '');
    expect(parseTables(withoutComments).map(({ family, name }) => `${family} ${name}`)).toEqual(['ip kube-proxy']);
  });

  it('are of the families that have addresses, or of those asked for', () => {
    const v6 = buildService({ name: 'six', clusterIP: 'fd00:96::1' });
    const families = (input: readonly unknown[], extra: Partial<OfflineOptions> = {}) =>
      buildOffline(input, options(extra)).rules.map(({ family }) => family);
    expect(families(objects)).toEqual(['ipv4']);
    expect(families([...objects, v6])).toEqual(['ipv4', 'ipv6']);
    expect(families([v6])).toEqual(['ipv6']);
    expect(families([])).toEqual(['ipv4']);
    expect(families(objects, { families: ['ipv6'] })).toEqual(['ipv6']);
  });

  it('say what they were not made of', () => {
    const annotations = { 'towtank.dev/balancing': 'fair' };
    const invalid = buildService({ annotations, spec: { externalIPs: ['nonsense'] } });
    const { notes } = buildOffline([invalid], options());
    expect(notes).toEqual([
      'Service default/web: spec.externalIPs holds "nonsense", which is skipped',
      'Service default/web: metadata.annotations[towtank.dev/balancing] holds "fair", which is skipped; known here: random, round-robin, least-connections',
      'Node node-1 is not among the objects, and no address of it was given: its zone and pod CIDRs are unknown',
    ]);
  });

  it('are not extended by what a note quotes', () => {
    const rule = 'x\n-A INPUT -j ACCEPT';
    const hostile = [
      buildService({ spec: { externalIPs: [rule] } }),
      buildService({ name: rule }),
      buildEndpointSlice({ name: rule, endpoints: [buildEndpoint({ ip: rule })] }),
      { kind: rule },
    ];
    const packets = [parsePacketQuestion('src=10.0.0.1\ndst=10.96.0.10:80')];
    const text = printOffline(buildOffline(hostile, options({ nodeName: rule, packets })));
    expect(text).toContain('x\n# -A INPUT -j ACCEPT');
    expect(text).not.toMatch(/^-A INPUT -j ACCEPT/m);
    expect(text).not.toMatch(/^dst=/m);
  });

  it('are of namespace default where objects name none, as kubectl would apply them', () => {
    const { metadata: { namespace: _, ...metadata } = {}, ...service } = buildService();
    const { notes, ...result } = buildOffline([{ ...service, metadata }], options());
    expect(printOffline({ ...result, notes })).toContain('default/web has no endpoints');
  });

  it('take addresses of the node from the command line first', () => {
    const result = buildOffline(
      objects,
      options({ config: { nodePortAddresses: ['primary'] }, nodeIPs: ['192.0.2.1'] }),
    );
    expect(printOffline(result)).toContain('-d 192.0.2.1/32');
  });

  it('come as data too', () => {
    const json = offlineJson(
      buildOffline(objects, options({ packets: [parsePacketQuestion('src=10.244.0.9 dst=10.96.0.10:80/tcp')] })),
    );
    expect(JSON.parse(JSON.stringify(json))).toMatchObject({
      nodeName: 'node-1',
      mode: 'iptables',
      families: [{ family: 'ipv4', tables: [{ name: 'mangle' }, { name: 'filter' }, { name: 'nat' }] }],
      packets: [{ verdict: 'deliver', endpoints: [{ address: '10.244.0.2:8080' }, { address: '10.244.1.2:8080' }] }],
    });
  });
});

describe('a packet', () => {
  const verdict = (text: string, extra: Partial<OfflineOptions> = {}) => {
    const [walk] = buildOffline(objects, options({ ...extra, packets: [parsePacketQuestion(text)] })).walks;
    const { verdict: what, endpoints } = walk!.evaluation;
    return `${what} ${endpoints.map(({ address, masquerade }) => `${address}${masquerade ? ' masqueraded' : ''}`).join(', ')}`;
  };

  it.each([
    ['src=10.244.0.9 dst=10.96.0.10:80/tcp', 'deliver 10.244.0.2:8080, 10.244.1.2:8080'],
    ['src=10.244.0.2 dst=10.96.0.10:80', 'deliver 10.244.0.2:8080 masqueraded, 10.244.1.2:8080'],
    [
      'src=192.0.2.7 dst=172.18.0.2:30080/tcp from=outside',
      'deliver 10.244.0.2:8080 masqueraded, 10.244.1.2:8080 masqueraded',
    ],
    ['dst=127.0.0.1:30080/tcp from=localhost', 'deliver 10.244.0.2:8080 masqueraded, 10.244.1.2:8080 masqueraded'],
    ['dst=10.96.0.10:81/tcp from=node', 'pass '],
    ['src=10.244.0.9 dst=10.96.0.10:80/udp', 'pass '],
  ])('%s: %s', (question, wanted) => {
    expect(verdict(question)).toBe(wanted);
  });

  it('is walked in the mode that was asked for', () => {
    expect(verdict('dst=10.96.0.10:81/tcp from=node', { mode: 'nftables' })).toBe('reject ');
  });

  it.each([
    ['dst=10.96.0.10:80/tcp', 'needs src='],
    ['src=x dst=10.96.0.10:80/tcp', 'src=x is no IP address'],
    ['src=10.244.0.9 dst=10.96.0.10/tcp', 'must be ADDRESS:PORT/PROTOCOL'],
    ['src=10.244.0.9 dst=10.96.0.10:0/tcp', 'must be ADDRESS:PORT/PROTOCOL'],
    ['src=10.244.0.9 dst=10.96.0.10:80/ipx', 'must be ADDRESS:PORT/PROTOCOL'],
    ['src=10.244.0.9 dst=[fd00::1]:80/tcp', 'one IP family'],
    ['src=10.244.0.9 dst=10.96.0.10:80/tcp from=mars', 'from=mars must be one of pod, node, localhost, outside'],
    ['src=10.244.0.9 to=10.96.0.10:80/tcp', '"to=10.96.0.10:80/tcp" is none of'],
    ['', 'is none of'],
    ['src=10.0.0.1 src=10.0.0.2 dst=10.0.0.3:80', 'src= stands there twice'],
  ])('%j is refused: %s', (question, problem) => {
    expect(() => parsePacketQuestion(question)).toThrow(problem);
    expect(() => parsePacketQuestion(question)).toThrow(UserError);
  });
});

it('a packet meets the rules of its own family, printed or not', () => {
  const packets = [parsePacketQuestion('src=10.244.0.9 dst=10.96.0.10:80/tcp')];
  const { rules, walks } = buildOffline(objects, options({ families: ['ipv6'], packets }));
  expect(rules.map(({ family }) => family)).toEqual(['ipv6']);
  expect(walks[0]?.evaluation.verdict).toBe('deliver');
});

describe('what is no Kubernetes object', () => {
  it.each([
    [3, 'object 1: is no Kubernetes object'],
    [{ metadata: {} }, 'object 1: has no kind'],
    [{ kind: 'List', items: {} }, 'object 1: is a List whose items are no list'],
    [{ kind: 'List', items: [null, { kind: 'Service' }] }, 'object 1, item 2: is a Service without a name'],
    [{ kind: 'Service', metadata: { name: 'x' }, spec: [] }, 'Service x: spec must be an object'],
    [{ kind: 'Service', metadata: { name: 'x' }, spec: { clusterIP: 10 } }, 'Service x: spec.clusterIP must be text'],
    [{ kind: 'Node', metadata: { name: 'x', labels: { a: 1 } } }, 'Node x: metadata.labels must be text by name'],
    [
      { kind: 'Service', metadata: { name: 'x', namespace: 'y' }, spec: { ports: {} } },
      'Service y/x: spec.ports must be a list',
    ],
    [
      { kind: 'EndpointSlice', metadata: { name: 'x' }, endpoints: [{ addresses: {} }] },
      'EndpointSlice x: endpoints[0].addresses must be a list',
    ],
  ])('%j is refused: %s', (object, problem) => {
    expect(() => buildOffline([object], options())).toThrow(problem);
  });

  it('never makes it fail in another way', () => {
    const kind = fc.constantFrom('Service', 'EndpointSlice', 'Node', 'ServiceCIDR', 'List');
    const fields = fc.constantFrom('spec', 'status', 'endpoints', 'ports', 'items', 'addressType', 'metadata');
    const object = fc.tuple(kind, fc.dictionary(fields, fc.jsonValue())).map(([name, rest]) => ({
      metadata: { name: 'x', labels: { 'kubernetes.io/service-name': 'x' } },
      ...rest,
      kind: name,
    }));
    const spec = fc.dictionary(
      fc.constantFrom(
        'clusterIP',
        'clusterIPs',
        'ipFamilies',
        'ports',
        'type',
        'externalIPs',
        'sessionAffinityConfig',
        'sessionAffinity',
      ),
      fc.oneof(fc.jsonValue(), fc.constantFrom('10.96.0.1', ['10.96.0.1'], ['IPv4'], 'ClientIP')),
    );
    const service = spec.map((value) => ({ kind: 'Service', metadata: { name: 'x' }, spec: value }));
    fc.assert(
      fc.property(
        fc.array(fc.oneof(object, service)),
        fc.constantFrom('iptables' as const, 'nftables' as const),
        (input, mode) => {
          try {
            printOffline(buildOffline(input, options({ mode })));
          } catch (error) {
            if (!(error instanceof UserError)) throw error;
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
