import { describe, expect, it } from 'vitest';
import type { Pod, PodSpec } from '../../../src/kube/generated/types.ts';
import { buildResolvConf, type NodeDns, parseResolvConf, printResolvConf } from '../../../src/kube/resolv-conf.ts';
import { buildPod } from '../../helpers/build-objects.ts';
import { readDnsVectors } from '../../helpers/dns-vectors.ts';

const HOST = 'nameserver 192.0.2.1\nnameserver 192.0.2.2\nsearch corp.example\noptions timeout:2\n';

function node(overrides: Partial<NodeDns> = {}): NodeDns {
  return { clusterDNS: ['10.96.0.10'], clusterDomain: 'cluster.local', hostResolvConf: HOST, ...overrides };
}

function podOf(spec: Partial<PodSpec> = {}): Pod {
  return buildPod({ name: 'web-0', namespace: 'shop', uid: 'u-1', spec });
}

interface Vector {
  readonly id: string;
  readonly kubelet: NodeDns;
  readonly pod: Partial<PodSpec> & { readonly namespace: string };
  readonly expect: {
    readonly nameservers: string[];
    readonly search: string[];
    readonly options: string[];
    readonly error?: boolean;
    readonly apiRejects?: boolean;
  };
  readonly events?: readonly string[];
}

// A pod that the API server refuses never reaches a kubelet: that line belongs to pod validation.
const vectors = readDnsVectors<Vector>('resolvconf').filter((vector) => vector.expect.apiRejects !== true);

describe('the kubelet vectors', () => {
  it.each(vectors.map((vector) => [vector.id, vector] as const))(
    '%s',
    (_id, { kubelet, pod, expect: wanted, events }) => {
      const { namespace, ...spec } = pod;
      const build = () => buildResolvConf(buildPod({ namespace, spec }), kubelet);
      if (wanted.error === true) {
        expect(build).toThrow('nameserver list is empty');
        return;
      }
      const { conf, events: recorded } = build();
      expect({ ...conf, options: new Set(conf.options) }).toEqual({
        nameservers: wanted.nameservers,
        search: wanted.search,
        options: new Set(wanted.options),
      });
      expect([...new Set(recorded.map((event) => event.reason))]).toEqual(events ?? []);
    },
  );
});

describe('dnsPolicy', () => {
  it('of a hostNetwork pod is Default unless it says ClusterFirstWithHostNet', () => {
    const plain = buildResolvConf(podOf({ dnsPolicy: 'ClusterFirst', hostNetwork: true }), node());
    expect(plain.conf.nameservers).toEqual(['192.0.2.1', '192.0.2.2']);
    const withHostNet = buildResolvConf(podOf({ dnsPolicy: 'ClusterFirstWithHostNet', hostNetwork: true }), node());
    expect(withHostNet.conf.nameservers).toEqual(['10.96.0.10']);
  });

  it('is ClusterFirst when the pod names none', () => {
    expect(buildResolvConf(podOf(), node()).conf.options).toEqual(['ndots:5']);
  });

  it('falls back to Default without a cluster DNS and says so on node and pod', () => {
    const { conf, events } = buildResolvConf(podOf(), node({ clusterDNS: [] }));
    expect(conf).toEqual(parseResolvConf(HOST));
    expect(events.map(({ involved, reason }) => [involved, reason])).toEqual([
      ['node', 'MissingClusterDNS'],
      ['pod', 'MissingClusterDNS'],
    ]);
    expect(events[1]?.message).toBe(
      'pod: "web-0_shop(u-1)". kubelet does not have ClusterDNS IP configured and cannot create Pod using ' +
        '"ClusterFirst" policy. Falling back to "Default" policy.',
    );
  });
});

describe('the limits', () => {
  it('keep the first three nameservers and name the applied line', () => {
    const dnsConfig = { nameservers: ['192.0.2.11', '192.0.2.12', '192.0.2.13'] };
    const { conf, events } = buildResolvConf(podOf({ dnsConfig }), node());
    expect(conf.nameservers).toEqual(['10.96.0.10', '192.0.2.11', '192.0.2.12']);
    expect(events).toEqual([
      {
        involved: 'pod',
        reason: 'DNSConfigForming',
        message:
          'Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: ' +
          '10.96.0.10 192.0.2.11 192.0.2.12',
      },
    ]);
  });

  it('cut whole search paths from the end until the line has 2048 characters', () => {
    const searches = Array.from({ length: 20 }, (_, i) => `${'a'.repeat(60)}.${'b'.repeat(60)}.d${i}.example`);
    const { conf, events } = buildResolvConf(podOf({ dnsPolicy: 'None', dnsConfig: { searches } }), node());
    expect(conf.search).toEqual(searches.slice(0, 15));
    expect(events[0]?.message).toMatch(/^Search Line limits were exceeded, some search paths have been omitted/);
  });
});

describe('printResolvConf', () => {
  it('prints search, nameservers and options, and leaves out what is empty', () => {
    expect(printResolvConf(buildResolvConf(podOf(), node()).conf)).toBe(
      'search shop.svc.cluster.local svc.cluster.local cluster.local corp.example\n' +
        'nameserver 10.96.0.10\noptions ndots:5\n',
    );
    expect(printResolvConf({ nameservers: ['::1'], search: [], options: [] })).toBe('nameserver ::1\n');
  });
});
