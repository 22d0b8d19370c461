import { describe, expect, test } from 'vitest';
import { buildEndpoints } from '../../../../src/controllers/endpoints/build-endpoints.ts';
import { startEndpointsController } from '../../../../src/controllers/endpoints/endpoints-controller.ts';
import { resources } from '../../../../src/kube/resources.ts';
import { buildPod, buildService, buildEndpoints as handMade, type PodOptions } from '../../../helpers/build-objects.ts';
import { ControllerHarness } from '../../../helpers/controller-harness.ts';

const pod = (options: PodOptions = {}) =>
  buildPod({ uid: 'u', nodeName: 'node-1', labels: { app: 'web' }, ...options });

describe('Endpoints', () => {
  test('list ready and not ready addresses with their pods, sorted', () => {
    const { subsets, metadata } = buildEndpoints(buildService({ labels: { team: 'x' } }), [
      pod({ name: 'b', ips: ['10.244.0.10'] }),
      pod({ name: 'a', ips: ['10.244.0.9'] }),
      pod({ name: 'c', ips: ['10.244.0.3'], ready: false }),
    ]);
    const address = (name: string, ip: string) => ({
      ip,
      nodeName: 'node-1',
      targetRef: { kind: 'Pod', namespace: 'default', name, uid: 'u' },
    });
    expect(subsets).toEqual([
      {
        addresses: [address('a', '10.244.0.9'), address('b', '10.244.0.10')],
        notReadyAddresses: [address('c', '10.244.0.3')],
        ports: [{ port: 8080, protocol: 'TCP' }],
      },
    ]);
    expect(metadata?.labels).toEqual({ team: 'x', 'endpoints.kubernetes.io/managed-by': 'endpoint-controller' });
  });

  test('group pods by the ports that they have (N40)', () => {
    const ports = [{ name: 'http', port: 80, targetPort: 'web' }];
    const { subsets } = buildEndpoints(buildService({ ports }), [
      pod({ ips: ['10.244.0.1'], ports: [{ name: 'web', containerPort: 81 }] }),
      pod({ ips: ['10.244.0.2'], ports: [{ name: 'web', containerPort: 82 }] }),
      pod({ ips: ['10.244.0.3'] }),
    ]);
    expect(subsets?.map(({ addresses, ports: own }) => [addresses?.[0]?.ip, own?.[0]])).toEqual([
      ['10.244.0.1', { name: 'http', port: 81, protocol: 'TCP' }],
      ['10.244.0.2', { name: 'http', port: 82, protocol: 'TCP' }],
    ]);
  });

  test('hold addresses of the first family only', () => {
    const ips = ['10.244.0.1', 'fd00::1'];
    expect(
      buildEndpoints(buildService({ spec: { ipFamilies: ['IPv6', 'IPv4'] } }), [pod({ ips })]).subsets?.[0]
        ?.addresses?.[0]?.ip,
    ).toBe('fd00::1');
    expect(buildEndpoints(buildService({ clusterIP: 'fd00::10' }), [pod()]).subsets).toEqual([]);
  });

  test('leave terminating pods out, unless not ready addresses are published', () => {
    const ending = pod({ deletionTimestamp: '2026-01-01T00:00:00Z', ready: false });
    expect(buildEndpoints(buildService(), [ending]).subsets).toEqual([]);
    const publishing = buildService({ spec: { publishNotReadyAddresses: true } });
    expect(buildEndpoints(publishing, [ending]).subsets?.[0]?.addresses).toHaveLength(1);
  });

  test('of a headless Service may lack ports and carry its label', () => {
    const { subsets, metadata } = buildEndpoints(buildService({ clusterIP: 'None', ports: [] }), [pod()]);
    expect(subsets?.[0]).not.toHaveProperty('ports');
    expect(metadata?.labels).toHaveProperty(['service.kubernetes.io/headless'], '');
  });

  test('are cut at 1000 addresses, ready ones kept, and say so', () => {
    const pods = Array.from({ length: 1100 }, (_, i) =>
      pod({ name: `p${i}`, ips: [`10.244.${i >> 8}.${i & 255}`], ready: i >= 200 }),
    );
    const { subsets, metadata } = buildEndpoints(buildService(), pods);
    expect([subsets?.[0]?.addresses?.length, subsets?.[0]?.notReadyAddresses?.length]).toEqual([900, 100]);
    expect(metadata?.annotations).toEqual({ 'endpoints.kubernetes.io/over-capacity': 'truncated' });
  });
});

describe('Endpoints controller', () => {
  test('creates, follows and removes the object with its Service (N10)', async () => {
    using harness = new ControllerHarness();
    const { client } = harness;
    client.put(resources.services, buildService());
    await harness.start(startEndpointsController);
    expect(client.peek(resources.endpoints, 'default/web')?.subsets).toEqual([]);
    client.put(resources.pods, pod());
    await harness.settle();
    expect(client.peek(resources.endpoints, 'default/web')?.subsets?.[0]?.addresses).toHaveLength(1);
    client.remove(resources.services, 'default/web');
    await harness.settle();
    expect(client.all(resources.endpoints)).toEqual([]);
    expect(harness.failures).toEqual([]);
  });

  test('leaves hand-made objects of Services without selector alone (N41)', async () => {
    using harness = new ControllerHarness();
    const { client } = harness;
    const own = handMade();
    client.put(resources.services, buildService({ selector: {} }));
    client.put(resources.endpoints, own, handMade({ name: 'free' }));
    await harness.start(startEndpointsController);
    expect(client.all(resources.endpoints)).toMatchObject([{ metadata: { name: 'free' } }, { subsets: own.subsets }]);
    client.remove(resources.services, 'default/web');
    await harness.settle();
    expect(client.all(resources.endpoints)).toMatchObject([{ metadata: { name: 'free' } }]);
  });
});
