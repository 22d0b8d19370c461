import { describe, expect, test } from 'vitest';
import { endpointObjects, serviceObjects } from '../../../../src/proxy/nftables/object-names.ts';
import { buildServicePort } from '../../../helpers/build-proxy-facts.ts';
import { loadVectors, recordedOutput, stateOfVector } from '../../../helpers/proxy-vectors.ts';

const portAt = (index: number, portName = 'p80') =>
  buildServicePort({ namespace: `ns${index}`, name: `svc${index}`, portName });

describe('names are those that kube-proxy gives', () => {
  test.each<[number, string]>([
    [1, 'ULMVA6XW-ns1/svc1/tcp/p80'],
    [2, '42NFTM6N-ns2/svc2/tcp/p80'],
    [3, '4AT6LBPK-ns3/svc3/tcp/p80'],
    [4, 'LAUZTJTB-ns4/svc4/tcp/p80'],
    [5, 'HVFWP5L3-ns5/svc5/tcp/p80'],
  ])('chains of Service %i', (index, base) => {
    expect(serviceObjects(portAt(index))).toEqual({
      cluster: `service-${base}`,
      local: `local-${base}`,
      external: `external-${base}`,
      firewall: `firewall-${base}`,
    });
  });

  test.each<[number, string, string]>([
    [1, '10.180.0.1', '5OJB2KTY-ns1/svc1/tcp/p80__10.180.0.1/80'],
    [2, '10.180.0.2', 'SGOXE6O3-ns2/svc2/tcp/p80__10.180.0.2/80'],
    [3, '10.180.0.3', 'UEIP74TE-ns3/svc3/tcp/p80__10.180.0.3/80'],
    [4, '10.180.0.4', 'UNZV3OEC-ns4/svc4/tcp/p80__10.180.0.4/80'],
    [4, '10.180.0.5', '5RFCDDV7-ns4/svc4/tcp/p80__10.180.0.5/80'],
    [5, '10.180.0.3', 'GTK6MW7G-ns5/svc5/tcp/p80__10.180.0.3/80'],
  ])('chain and affinity set of an endpoint of Service %i', (index, ip, base) => {
    expect(endpointObjects(portAt(index), { ip, port: 80 })).toEqual({
      chain: `endpoint-${base}`,
      affinitySet: `affinity-${base}`,
    });
  });

  test('an unnamed port leaves nothing behind the last slash, IPv6 colons become dots', () => {
    expect(serviceObjects(portAt(1, '')).cluster).toBe('service-6KJ5P52A-ns1/svc1/tcp/');
    expect(endpointObjects(portAt(1), { ip: 'fd00:10:180::1', port: 80 }).chain).toBe(
      'endpoint-ZVRFLKHO-ns1/svc1/tcp/p80__fd00.10.180..1/80',
    );
  });

  test('every chain that kube-proxy 1.30 recorded for a Service is one that we name alike', () => {
    let compared = 0;
    for (const vector of loadVectors('packet-flow')) {
      const recorded = recordedOutput(vector.id, 'nftables');
      if (recorded === undefined) continue;
      const names = new Set(
        [...stateOfVector(vector, 'nftables').ports.values()].flatMap(({ port, endpoints }) => [
          ...Object.values(serviceObjects(port)),
          ...endpoints.reachable.flatMap((endpoint) => Object.values(endpointObjects(port, endpoint))),
        ]),
      );
      for (const [, name = ''] of recorded.matchAll(
        /(?:chain|set) ((?:service|local|external|firewall|endpoint|affinity)-[A-Z2-7]{8}-\S+)/g,
      )) {
        if (vector.id === 'dual-stack-wrong-family-slice') continue;
        expect(names, vector.id).toContain(name);
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(150);
  });
});

test('names stay within what the kernel takes, however long the Service is called', () => {
  const long = buildServicePort({ namespace: 'n'.repeat(63), name: 's'.repeat(200), portName: 'p'.repeat(15) });
  const { affinitySet } = endpointObjects(long, { ip: '2001:db8:1111:2222:3333:4444:5555:6666', port: 65_535 });
  expect(affinitySet).toHaveLength('affinity-'.length + 240);
  expect(affinitySet.endsWith('...')).toBe(true);
});
