import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startEndpointSliceMirroringController } from '../../../../src/controllers/endpoint-slice-mirroring/mirroring-controller.ts';
import { resources } from '../../../../src/kube/resources.ts';
import { buildEndpointSlice, buildEndpoints, buildService } from '../../../helpers/build-objects.ts';
import { ControllerHarness } from '../../../helpers/controller-harness.ts';

describe('mirroring of hand-made Endpoints (N13)', () => {
  let harness: ControllerHarness;
  beforeEach(() => {
    harness = new ControllerHarness();
    harness.client.put(resources.services, buildService({ selector: {} }));
  });
  afterEach(() => harness[Symbol.dispose]());
  const start = () => harness.start(startEndpointSliceMirroringController);
  const slices = () => harness.client.all(resources.endpointSlices);

  test('shows addresses and ports as a slice that belongs to the Endpoints', async () => {
    harness.client.put(
      resources.endpoints,
      buildEndpoints({
        uid: 'e',
        labels: { team: 'x' },
        annotations: { note: 'hi', 'kubectl.kubernetes.io/last-applied-configuration': '{}' },
        subsets: [
          {
            addresses: [{ ip: '192.0.2.1' }],
            notReadyAddresses: [{ ip: '192.0.2.2', hostname: 'b' }],
            ports: [{ name: 'http', port: 80 }],
          },
        ],
      }),
    );
    await start();
    expect(slices()).toMatchObject([
      {
        metadata: {
          labels: {
            team: 'x',
            'kubernetes.io/service-name': 'web',
            'endpointslice.kubernetes.io/managed-by': 'endpointslicemirroring-controller.k8s.io',
          },
          annotations: { note: 'hi' },
          ownerReferences: [{ kind: 'Endpoints', name: 'web', uid: 'e' }],
        },
        addressType: 'IPv4',
        ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
        endpoints: [
          { addresses: ['192.0.2.1'], conditions: { ready: true } },
          { addresses: ['192.0.2.2'], conditions: { ready: false }, hostname: 'b' },
        ],
      },
    ]);
    expect(slices()[0]?.metadata?.annotations).toEqual({ note: 'hi' });
  });

  test('follows changes and goes with the Endpoints', async () => {
    harness.client.put(resources.endpoints, buildEndpoints());
    await start();
    harness.client.put(
      resources.endpoints,
      buildEndpoints({ subsets: [{ addresses: [{ ip: '192.0.2.9' }], ports: [{ port: 81 }] }] }),
    );
    await harness.settle();
    expect(slices()).toMatchObject([{ endpoints: [{ addresses: ['192.0.2.9'] }], ports: [{ port: 81 }] }]);
    harness.client.remove(resources.endpoints, 'default/web');
    await harness.settle();
    expect(slices()).toEqual([]);
  });

  test('separates families, and joins subsets of the same ports', async () => {
    const ports = [{ port: 80 }];
    harness.client.put(
      resources.endpoints,
      buildEndpoints({
        subsets: [
          { addresses: [{ ip: '192.0.2.1' }, { ip: '2001:DB8::1' }], ports },
          { addresses: [{ ip: '192.0.2.2' }, { ip: '192.0.2.1' }], ports },
        ],
      }),
    );
    await start();
    expect(
      slices().map(({ addressType, endpoints }) => [addressType, endpoints?.map(({ addresses: [ip] }) => ip)]),
    ).toEqual([
      ['IPv4', ['192.0.2.1', '192.0.2.2']],
      ['IPv6', ['2001:db8::1']],
    ]);
  });

  test.each([
    ['a selector', { service: buildService(), endpoints: buildEndpoints() }],
    [
      'the skip label',
      {
        service: buildService({ selector: {} }),
        endpoints: buildEndpoints({ labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } }),
      },
    ],
    [
      'a leader annotation',
      {
        service: buildService({ selector: {} }),
        endpoints: buildEndpoints({ annotations: { 'control-plane.alpha.kubernetes.io/leader': '{}' } }),
      },
    ],
  ])('does not happen with %s, and slices made before go', async (_what, { service, endpoints }) => {
    harness.client.put(resources.endpoints, buildEndpoints());
    await start();
    expect(slices()).toHaveLength(1);
    harness.client.put(resources.services, service);
    harness.client.put(resources.endpoints, endpoints);
    await harness.settle();
    expect(slices()).toEqual([]);
  });

  test('leaves slices of others alone', async () => {
    harness.client.put(resources.endpointSlices, buildEndpointSlice());
    await start();
    expect(slices()).toHaveLength(1);
  });
});
