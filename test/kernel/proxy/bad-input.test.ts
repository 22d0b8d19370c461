import { afterEach, describe, expect, it } from 'vitest';
import type { EndpointSlice, Event, Service } from '../../../src/kube/generated/types.ts';
import { resources } from '../../../src/kube/resources.ts';
import { buildEndpoint, buildEndpointSlice, buildService } from '../../helpers/build-objects.ts';
import { type ProxyNode, startProxyNode, WAYS } from '../../helpers/proxy-node.ts';

// What an API server of Kubernetes refuses, and a proxy may be told all the same: by another server, or an old store.
const LONG = 'x'.repeat(400);
const BAD_SERVICES: readonly Service[] = [
  buildService({ name: LONG, clusterIP: '10.96.1.1' }),
  buildService({ name: 'quote"; -j DROP', clusterIP: '10.96.1.2' }),
  buildService({ name: 'line\nCOMMIT\n*filter\n-P FORWARD DROP\n', clusterIP: '10.96.1.3' }),
  buildService({
    name: 'forever',
    clusterIP: '10.96.1.9',
    spec: { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 1e18 } } },
  }),
  buildService({ name: 'no-address', clusterIP: 'nonsense' }),
  buildService({ name: 'port-zero', clusterIP: '10.96.1.4', ports: [{ port: 0, protocol: 'TCP' }] }),
  buildService({ name: 'port-large', clusterIP: '10.96.1.5', ports: [{ port: 70_000, protocol: 'TCP' }] }),
  buildService({ name: 'icmp', clusterIP: '10.96.1.6', ports: [{ port: 80, protocol: 'ICMP' }] }),
  buildService({
    name: 'node-port-large',
    clusterIP: '10.96.1.7',
    type: 'NodePort',
    ports: [{ port: 80, protocol: 'TCP', nodePort: 99_999 }],
  }),
  { ...buildService({ name: 'external', clusterIP: '10.96.1.8' }), spec: external('10.96.1.8') },
  // Wants what `web` has; the first by name keeps it.
  buildService({ name: 'zz-thief', clusterIP: '10.96.0.10' }),
];

function external(clusterIP: string): NonNullable<Service['spec']> {
  const { spec } = buildService({ name: 'external', clusterIP, type: 'LoadBalancer' });
  return { ...spec, externalIPs: ['abc', '192.0.2.300'], loadBalancerSourceRanges: ['10.0.0.0/99', ''] };
}

const BAD_SLICES: readonly EndpointSlice[] = [
  ...BAD_SERVICES.map(({ metadata }) =>
    buildEndpointSlice({ service: metadata!.name!, endpoints: [buildEndpoint({ ip: '10.244.0.3' })] }),
  ),
  buildEndpointSlice({
    name: 'web-bad',
    endpoints: ['999.1.1.1', 'fe80::1%eth0', 'fd00::5', ''].map((ip) => buildEndpoint({ ip })),
  }),
];

let stack = new AsyncDisposableStack();
afterEach(async () => {
  await stack.disposeAsync();
  stack = new AsyncDisposableStack();
});

const ask = ({ lab }: ProxyNode) =>
  lab.send({ from: 'pod', source: '10.244.0.9', protocol: 'tcp', destination: '10.96.0.10', port: 80, timeoutMs: 500 });

describe.each(WAYS)('objects that no API server should let pass, on %s', (way) => {
  it('are skipped or clipped and told at the Service, and the others work', async () => {
    const node = await startProxyNode(stack, { way });
    const { client, proxy } = node;
    await proxy.synced;
    for (const service of BAD_SERVICES) client.put(resources.services, service);
    for (const slice of BAD_SLICES) client.put(resources.endpointSlices, slice);
    client.put(resources.services, buildService());
    client.put(resources.endpointSlices, buildEndpointSlice({ endpoints: [buildEndpoint({ ip: '10.244.0.2' })] }));
    const answer = { kind: 'answered', backend: '10.244.0.2:8080', seenSource: '10.244.0.9' };
    await expect.poll(() => ask(node), { timeout: 40_000 }).toEqual(answer);

    const told = (): Set<string> =>
      new Set(
        client.all<Event>(resources.events).map(({ involvedObject, reason }) => `${involvedObject.name} ${reason}`),
      );
    await expect
      .poll(() => [...told()].sort(), { timeout: 40_000 })
      .toEqual(
        expect.arrayContaining([
          'external InvalidServiceField',
          'icmp InvalidServiceField',
          'line\nCOMMIT\n*filter\n-P FORWARD DROP\n InvalidServiceField',
          'forever InvalidServiceField',
          'no-address InvalidServiceField',
          'node-port-large InvalidServiceField',
          'port-large InvalidServiceField',
          'port-zero InvalidServiceField',
          'quote"; -j DROP InvalidServiceField',
          'web InvalidEndpointAddress',
          'web KubeProxyIncorrectIPVersion',
          'zz-thief ConflictingFrontend',
        ]),
      );
    // A change later on still arrives.
    client.put(resources.endpointSlices, buildEndpointSlice({ endpoints: [buildEndpoint({ ip: '10.244.0.3' })] }));
    await expect.poll(() => ask(node), { timeout: 40_000 }).toMatchObject({ backend: '10.244.0.3:8080' });
  });
});
