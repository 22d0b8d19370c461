import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { connectTcp, listenTcp } from '../../../src/kernel/sockets.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import { resources } from '../../../src/kube/resources.ts';
import { buildEndpoint, buildEndpointSlice, buildNode, buildService } from '../../helpers/build-objects.ts';
import { type HostProxy, type NamespaceApi, serveApiIn, startHostProxy } from '../../helpers/host-proxy.ts';
import { PacketLab } from '../../helpers/packet-lab.ts';
import { LAB } from '../../helpers/proxy-node.ts';

const IPS = ['10.244.0.2', '10.244.0.3', '10.244.0.4', '10.244.0.5', '10.244.0.6'];
const TARGETS = [
  { from: 'pod', source: '10.244.0.9', destination: '10.96.0.10', port: 80 },
  { from: 'external', source: '192.0.2.7', destination: '172.18.0.2', port: 30_080 },
  { from: 'external', source: '192.0.2.7', destination: '203.0.113.1', port: 80 },
] as const;
const PORTS = [
  { name: 'http', port: 80, protocol: 'TCP', targetPort: 8080, nodePort: 30_080 },
  { name: 'echo', port: 9000, protocol: 'TCP', targetPort: 9000, nodePort: 30_090 },
];
const patience = { timeout: 40_000, interval: 5 };

let stack = new AsyncDisposableStack();
afterEach(async () => {
  await stack.disposeAsync();
  stack = new AsyncDisposableStack();
});

interface Web {
  readonly lab: PacketLab;
  readonly api: NamespaceApi;
  readonly start: () => HostProxy;
  /** Makes these the ready pods, and those the ones that end. */
  publish(ready: readonly string[], leaving?: readonly string[]): Promise<void>;
}

async function startWeb(mode: string): Promise<Web> {
  const lab = stack.use(await PacketLab.create('node-1', { ...LAB, backends: IPS.map((ip) => `${ip}:8080`) }));
  const api = stack.use(await serveApiIn(lab.node));
  const client = api.server.client('test');
  await client.create(resources.nodes, buildNode({ name: 'node-1', ips: ['172.18.0.2'] }));
  const ingress = [{ ip: '203.0.113.1', ipMode: 'VIP' }];
  const service = buildService({ type: 'LoadBalancer', clusterIP: '10.96.0.10', ports: PORTS });
  const created = await client.create(resources.services, service);
  await client.update(
    resources.services,
    { ...created, status: { loadBalancer: { ingress } } },
    { subresource: 'status' },
  );
  await client.create(resources.endpointSlices, slice(IPS.slice(0, 2), []));
  const words = ['--kubeconfig', api.kubeconfig, '--node-name', 'node-1', '--proxy-mode', mode];
  return {
    lab,
    api,
    start: () => stack.use(startHostProxy(lab.node, words)),
    publish: (ready, leaving = []) => publish(client, ready, leaving),
  };
}

function slice(ready: readonly string[], leaving: readonly string[]) {
  const ports = PORTS.map(({ name, targetPort, protocol }) => ({ name, port: targetPort, protocol }));
  const endpoints = [
    ...ready.map((ip) => buildEndpoint({ ip })),
    ...leaving.map((ip) => buildEndpoint({ ip, ready: false, serving: true, terminating: true })),
  ];
  return buildEndpointSlice({ ports, endpoints });
}

async function publish(client: KubeClient, ready: readonly string[], leaving: readonly string[]): Promise<void> {
  const { name, namespace } = slice([], []).metadata!;
  const { endpoints } = slice(ready, leaving);
  await client.patch(resources.endpointSlices, { name: name!, namespace }, { type: 'merge', body: { endpoints } });
}

// Which pods answer twenty new connections.
async function answering(lab: PacketLab): Promise<string[]> {
  const seen = new Set<string>();
  for (let i = 0; i < 20; i++) {
    const outcome = await lab.send({ ...TARGETS[0], protocol: 'tcp' });
    if (outcome.kind === 'answered') seen.add(outcome.backend.slice(0, outcome.backend.indexOf(':')));
  }
  return [...seen].sort();
}

/** One connection that stays, to the pod that happens to get it. */
async function openLong(lab: PacketLab, host: string, port: number) {
  const servers = new Map<string, Socket>();
  for (const ip of IPS) {
    const server = createServer((socket) => {
      servers.set(
        ip,
        socket.on('error', () => socket.destroy()),
      );
      socket.pipe(socket);
    });
    stack.defer(() => void server.close());
    server.listen({ fd: listenTcp(lab.backends, { host: ip, port: 9000 }) });
  }
  const socket = connectTcp(lab.pods, { host, port, localAddress: '10.244.0.9' });
  stack.defer(() => void socket.destroy());
  await once(socket, 'connect');
  const echo = async (text: string): Promise<string> => {
    const answer = once(socket, 'data') as Promise<[Buffer]>;
    socket.write(text);
    return (await answer)[0].toString();
  };
  expect(await echo('first')).toBe('first');
  const [[pod, end]] = [...servers] as [[string, Socket]];
  return { pod, echo, ended: once(socket, 'close'), endPod: () => end.destroy() };
}

describe.each(['iptables', 'nftables'])('towtank proxy in %s mode, while pods are replaced', (mode) => {
  it('fails no connection, killed and restarted, with the API server away and back', async () => {
    const { lab, api, start, publish: make } = await startWeb(mode);
    const first = start();
    await first.synced;
    await expect.poll(() => answering(lab), patience).toEqual(IPS.slice(0, 2));
    const long = await openLong(lab, '10.96.0.10', 9000);
    const traffic = lab.keepSending(TARGETS);

    await make([IPS[1]!, IPS[2]!], [IPS[0]!]);
    await expect.poll(() => answering(lab), patience).toEqual([IPS[1], IPS[2]]);

    first.program.kill('SIGKILL');
    await first.program.exited;
    await make([IPS[2]!, IPS[3]!], [IPS[1]!]);
    const second = start();
    await second.synced;
    await expect.poll(() => answering(lab), patience).toEqual([IPS[2], IPS[3]]);

    await api.goAway();
    await make([IPS[3]!, IPS[4]!], [IPS[2]!]);
    await expect.poll(() => second.log(), patience).toContain('cannot reach the API server');
    expect(await long.echo('while the API server is away')).toBe('while the API server is away');
    await api.comeBack();
    await expect.poll(() => answering(lab), patience).toEqual([IPS[3], IPS[4]]);

    const outcomes = await traffic.stop();
    expect(outcomes.length).toBeGreaterThan(100);
    expect(outcomes.filter(({ kind }) => kind !== 'answered')).toEqual([]);
    // Its pod left the Service long ago: only the end of the pod ends the connection.
    expect(IPS.slice(0, 2)).toContain(long.pod);
    expect(await long.echo('last')).toBe('last');
    long.endPod();
    await long.ended;
  });
});
