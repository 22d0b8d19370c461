import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { connectTcp, listenTcp } from '../../../src/kernel/sockets.ts';
import { resources } from '../../../src/kube/resources.ts';
import { buildEndpoint, buildEndpointSlice, buildService } from '../../helpers/build-objects.ts';
import type { FakeKubeClient } from '../../helpers/fake-kube-client.ts';
import type { PacketLab } from '../../helpers/packet-lab.ts';
import { startNodeProxy, startProxyNode, WAYS } from '../../helpers/proxy-node.ts';

const IPS = ['10.244.0.2', '10.244.0.3', '10.244.0.4', '10.244.0.5'];
const TARGETS = [
  { from: 'pod', source: '10.244.0.9', destination: '10.96.0.10', port: 80 },
  { from: 'external', source: '192.0.2.7', destination: '172.18.0.2', port: 30_080 },
  { from: 'external', source: '192.0.2.7', destination: '203.0.113.1', port: 80 },
] as const;
const ROUNDS = 12;

function publish(client: FakeKubeClient, ready: readonly string[], leaving: readonly string[] = []): void {
  const endpoints = [
    ...ready.map((ip) => buildEndpoint({ ip })),
    ...leaving.map((ip) => buildEndpoint({ ip, ready: false, serving: true, terminating: true })),
  ];
  client.put(resources.endpointSlices, buildEndpointSlice({ endpoints }));
}

describe.each(WAYS)('while pods are replaced on %s', (way) => {
  let stack = new AsyncDisposableStack();
  afterEach(async () => {
    await stack.disposeAsync();
    stack = new AsyncDisposableStack();
  });

  async function startWeb() {
    const node = await startProxyNode(stack, { way, lab: { backends: IPS.map((ip) => `${ip}:8080`) } });
    const ports = [{ port: 80, protocol: 'TCP', targetPort: 8080, nodePort: 30_080 }];
    const status = { loadBalancer: { ingress: [{ ip: '203.0.113.1' }] } };
    node.client.put(resources.services, buildService({ type: 'LoadBalancer', ports, status }));
    publish(node.client, IPS.slice(0, 2));
    await node.proxy.synced;
    await expect.poll(() => node.lab.send({ ...TARGETS[0], protocol: 'tcp' })).toMatchObject({ kind: 'answered' });
    return node;
  }

  it('no new connection fails, through restarts of the proxy and with the API away', async () => {
    const node = await startWeb();
    const { lab, client, problems } = node;
    let { proxy } = node;
    const traffic = lab.keepSending(TARGETS);
    for (let round = 0; round < ROUNDS; round++) {
      const at = (offset: number): string => IPS[(round + offset) % IPS.length]!;
      publish(client, [at(0), at(1), at(2)]);
      await reached(lab, at(2));
      publish(client, [at(1), at(2)], [at(0)]);
      await left(lab, at(0));
      publish(client, [at(1), at(2)]);
      if (round % 4 === 1) {
        await proxy[Symbol.asyncDispose]();
        proxy = await startNodeProxy(stack, { ...node, way });
        await proxy.synced;
      }
      if (round % 4 === 3) client.endWatches(new Error('the API server went away'));
    }
    const outcomes = await traffic.stop();
    expect(outcomes.length).toBeGreaterThan(ROUNDS * TARGETS.length);
    expect(outcomes.filter(({ kind }) => kind !== 'answered')).toEqual([]);
    expect(problems).toEqual([]);
  });

  it('a long connection lives on after its endpoint left the rules', async () => {
    const { lab, client } = await startWeb();
    const server = createServer((socket) => socket.pipe(socket));
    stack.defer(() => void server.close());
    server.listen({ fd: listenTcp(lab.backends, { host: '10.244.0.2', port: 9000 }) });
    const ports = [
      { name: 'web', port: 80, protocol: 'TCP', targetPort: 8080 },
      { name: 'long', port: 9000, protocol: 'TCP', targetPort: 9000 },
    ];
    client.put(resources.services, buildService({ name: 'long', clusterIP: '10.96.0.11', ports }));
    const slice = (...ips: readonly string[]) =>
      buildEndpointSlice({
        service: 'long',
        ports: ports.map(({ name, targetPort, protocol }) => ({ name, port: targetPort, protocol })),
        endpoints: ips.map((ip) => buildEndpoint({ ip })),
      });
    client.put(resources.endpointSlices, slice('10.244.0.2'));
    const attempt = () =>
      lab.send({
        from: 'pod',
        source: '10.244.0.9',
        protocol: 'tcp',
        destination: '10.96.0.11',
        port: 80,
        timeoutMs: 200,
      });
    await expect.poll(attempt).toMatchObject({ kind: 'answered' });
    const socket = connectTcp(lab.pods, { host: '10.96.0.11', port: 9000, localAddress: '10.244.0.9' });
    await once(socket, 'connect');
    const echo = async (text: string): Promise<string> => {
      socket.write(text);
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      return chunk.toString();
    };
    expect(await echo('before')).toBe('before');
    client.put(resources.endpointSlices, slice());
    await expect.poll(attempt).toMatchObject({ kind: 'refused' });
    expect(await echo('after')).toBe('after');
    socket.destroy();
  });
});

async function reached(lab: PacketLab, ip: string): Promise<void> {
  const backend = `${ip}:8080`;
  const ask = () => lab.send({ ...TARGETS[0], protocol: 'tcp' });
  await expect.poll(ask, { interval: 1 }).toMatchObject({ backend });
}

// Not one of many connections reaches it any more.
async function left(lab: PacketLab, ip: string): Promise<void> {
  const backend = `${ip}:8080`;
  const anyReaches = async (): Promise<boolean> => {
    for (let i = 0; i < 12; i++) {
      const outcome = await lab.send({ ...TARGETS[0], protocol: 'tcp' });
      if (outcome.kind === 'answered' && outcome.backend === backend) return true;
    }
    return false;
  };
  await expect.poll(anyReaches, { interval: 1 }).toBe(false);
}
