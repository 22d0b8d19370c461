import { describe, expect, test } from 'vitest';
import { startKubernetesServiceController } from '../../../../src/controllers/kubernetes-service/kubernetes-service-controller.ts';
import { resources } from '../../../../src/kube/resources.ts';
import { ControllerHarness } from '../../../helpers/controller-harness.ts';

const config = {
  serviceCIDRs: ['10.96.0.0/16', 'fd00:10:96::/112'],
  apiServer: ['172.18.0.1', 'fc00::1'],
  caCertificate: '',
};
async function run(overrides = {}) {
  const harness = new ControllerHarness();
  return harness.start((context) => startKubernetesServiceController(context, { ...config, ...overrides }));
}

describe('default/kubernetes (N11)', () => {
  test('has the first address of the range and points at every API server', async () => {
    using harness = await run({ apiServer: ['172.18.0.9', '172.18.0.1', 'fc00::1'], apiServerPort: 8443 });
    const { client } = harness;
    expect(client.peek(resources.services, 'default/kubernetes')?.spec).toMatchObject({
      clusterIP: '10.96.0.1',
      ipFamilies: ['IPv4'],
      ports: [{ name: 'https', port: 443, targetPort: 8443 }],
    });
    expect(client.peek(resources.endpoints, 'default/kubernetes')?.subsets).toEqual([
      {
        addresses: [{ ip: '172.18.0.1' }, { ip: '172.18.0.9' }],
        ports: [{ name: 'https', port: 8443, protocol: 'TCP' }],
      },
    ]);
    expect(client.peek(resources.endpointSlices, 'default/kubernetes')).toMatchObject({
      metadata: { labels: { 'kubernetes.io/service-name': 'kubernetes' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['172.18.0.1'], conditions: { ready: true } }, { addresses: ['172.18.0.9'] }],
    });
  });

  test('is of the primary family', async () => {
    using harness = await run({ serviceCIDRs: ['fd00:10:96::/112', '10.96.0.0/16'] });
    expect(harness.client.peek(resources.services, 'default/kubernetes')?.spec).toMatchObject({
      clusterIP: 'fd00:10:96::1',
      ipFamilies: ['IPv6'],
    });
    expect(harness.client.peek(resources.endpointSlices, 'default/kubernetes')?.endpoints).toMatchObject([
      { addresses: ['fc00::1'] },
    ]);
  });

  test('comes back when it is deleted or its endpoints are changed', async () => {
    using harness = await run();
    const { client } = harness;
    const slice = client.peek(resources.endpointSlices, 'default/kubernetes')!;
    client.put(resources.endpointSlices, { ...slice, endpoints: [] });
    client.remove(resources.services, 'default/kubernetes');
    client.remove(resources.endpoints, 'default/kubernetes');
    await harness.settle();
    expect(client.peek(resources.endpointSlices, 'default/kubernetes')?.endpoints).toHaveLength(1);
    expect(client.peek(resources.services, 'default/kubernetes')).toBeDefined();
    expect(client.peek(resources.endpoints, 'default/kubernetes')).toBeDefined();
    expect(harness.failures).toEqual([]);
  });
});
