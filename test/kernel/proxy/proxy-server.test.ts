import { afterEach, describe, expect, it } from 'vitest';
import { createConntrackRunner } from '../../../src/kernel/runners/conntrack-runner.ts';
import { createIptablesRunner } from '../../../src/kernel/runners/iptables-runner.ts';
import { createNftRunner } from '../../../src/kernel/runners/nft-runner.ts';
import { SharedInformers } from '../../../src/kube/informers.ts';
import { resources } from '../../../src/kube/resources.ts';
import { startProxy } from '../../../src/proxy/proxy-server.ts';
import { feedServiceFacts } from '../../../src/proxy/service-facts-feed.ts';
import { buildEndpoint, buildEndpointSlice, buildNode, buildService } from '../../helpers/build-objects.ts';
import { FakeKubeClient } from '../../helpers/fake-kube-client.ts';
import { PacketLab } from '../../helpers/packet-lab.ts';
import { systemClock } from '../../helpers/system-clock.ts';

const BACKENDS = ['10.244.0.2:8080', '10.244.0.3:8080'];

const WAYS = ['iptables-nft', 'iptables-legacy', 'nftables'] as const;
type Way = (typeof WAYS)[number];

async function startNode(stack: AsyncDisposableStack, way: Way) {
  const lab = stack.use(
    await PacketLab.create('node-1', {
      family: 'ipv4',
      nodeAddresses: ['172.18.0.2'],
      backends: BACKENDS,
      pods: ['10.244.0.9'],
      outside: ['192.0.2.7'],
    }),
  );
  const client = new FakeKubeClient(systemClock);
  client.put(resources.nodes, buildNode({ name: 'node-1', ips: ['172.18.0.2'] }));
  const informers = stack.use(new SharedInformers(client, systemClock));
  const services = feedServiceFacts({ informers });
  const problems: string[] = [];
  const proxy = stack.use(
    await startProxy({
      client,
      clock: systemClock,
      informers,
      services,
      nodeName: 'node-1',
      config: { mode: way === 'nftables' ? 'nftables' : 'iptables', clusterCIDRs: ['10.244.0.0/16'] },
      runners: {
        iptables: createIptablesRunner(lab.node, { backend: way === 'iptables-legacy' ? 'legacy' : 'nft' }),
        nft: createNftRunner(lab.node),
        conntrack: createConntrackRunner(lab.node),
      },
      addresses: () => ['172.18.0.2', '127.0.0.1'],
      log: ({ message, error }) => problems.push(`${message} ${String(error)}`),
    }),
  );
  return { lab, client, proxy, problems };
}

const web = (type: string) =>
  buildService({
    type,
    ports: [{ port: 80, protocol: 'TCP', targetPort: 8080, ...(type === 'ClusterIP' ? {} : { nodePort: 30080 }) }],
    status: { loadBalancer: type === 'LoadBalancer' ? { ingress: [{ ip: '203.0.113.1' }] } : {} },
  });
const slice = (...ips: readonly string[]) =>
  buildEndpointSlice({
    ports: [{ name: '', port: 8080, protocol: 'TCP' }],
    endpoints: ips.map((ip) => buildEndpoint({ addresses: [ip], nodeName: 'node-1' })),
  });

describe.each(WAYS)('a proxy on %s', (way) => {
  let stack = new AsyncDisposableStack();
  afterEach(async () => {
    await stack.disposeAsync();
    stack = new AsyncDisposableStack();
  });

  it('leads cluster IP, node port and load balancer address to the endpoints, for every kind of sender', async () => {
    const { lab, client, proxy, problems } = await startNode(stack, way);
    client.put(resources.services, web('LoadBalancer'));
    client.put(resources.endpointSlices, slice('10.244.0.2', '10.244.0.3'));
    await proxy.synced;
    const senders = [
      { from: 'pod', source: '10.244.0.9' },
      { from: 'node', source: '172.18.0.2' },
      { from: 'external', source: '192.0.2.7' },
    ] as const;
    const targets = [
      { destination: '10.96.0.10', port: 80 },
      { destination: '172.18.0.2', port: 30080 },
      { destination: '203.0.113.1', port: 80 },
    ];
    for (const sender of senders) {
      for (const target of targets) {
        const outcome = await lab.send({ ...sender, ...target, protocol: 'tcp' });
        expect(outcome, `${sender.from} to ${target.destination}`).toMatchObject({ kind: 'answered' });
      }
    }
    expect(problems).toEqual([]);
  });

  it('keeps the client address of pods and masquerades node ports', async () => {
    const { lab, client, proxy } = await startNode(stack, way);
    client.put(resources.services, web('NodePort'));
    client.put(resources.endpointSlices, slice('10.244.0.2'));
    await proxy.synced;
    const pod = { from: 'pod', source: '10.244.0.9', protocol: 'tcp' } as const;
    expect(await lab.send({ ...pod, destination: '10.96.0.10', port: 80 })).toMatchObject({ seenSource: '10.244.0.9' });
    expect(await lab.send({ ...pod, destination: '172.18.0.2', port: 30080 })).toMatchObject({
      seenSource: expect.stringMatching(/^100\.64\./),
    });
  });

  it('follows an endpoint that appears, moves and goes', async () => {
    const { lab, client, proxy } = await startNode(stack, way);
    client.put(resources.services, web('ClusterIP'));
    await proxy.synced;
    const ask = () =>
      lab.send({ from: 'pod', source: '10.244.0.9', protocol: 'tcp', destination: '10.96.0.10', port: 80 });
    expect(await ask()).toMatchObject({ kind: 'refused', code: 'ECONNREFUSED' });
    client.put(resources.endpointSlices, slice('10.244.0.2'));
    await expect.poll(ask).toMatchObject({ backend: '10.244.0.2:8080' });
    client.put(resources.endpointSlices, slice('10.244.0.3'));
    await expect.poll(ask).toMatchObject({ backend: '10.244.0.3:8080' });
    client.put(resources.endpointSlices, slice());
    await expect.poll(ask).toMatchObject({ kind: 'refused', code: 'ECONNREFUSED' });
  });
});
