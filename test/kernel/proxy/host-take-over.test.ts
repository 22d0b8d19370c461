import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { RunningProxy } from '../../../src/cluster/offline/take-over/running-proxy.ts';
import { bindUdp, connectTcp, listenTcp } from '../../../src/kernel/sockets.ts';
import { resources } from '../../../src/kube/resources.ts';
import { buildEndpoint, buildEndpointSlice, buildNode, buildService } from '../../helpers/build-objects.ts';
import {
  type HostProxy,
  type NamespaceApi,
  runHostProxy,
  serveApiIn,
  startHostProxy,
} from '../../helpers/host-proxy.ts';
import { PacketLab } from '../../helpers/packet-lab.ts';
import { LAB } from '../../helpers/proxy-node.ts';

const ROUNDS = Number(process.env['TOWTANK_TAKE_OVERS'] ?? 3);
const IPS = ['10.244.0.2', '10.244.0.3', '10.244.0.4', '10.244.0.5'];
const PORTS = [
  { name: 'http', port: 80, protocol: 'TCP', targetPort: 8080, nodePort: 30_080 },
  { name: 'echo', port: 9000, protocol: 'TCP', targetPort: 9000, nodePort: 30_090 },
  { name: 'datagrams', port: 9000, protocol: 'UDP', targetPort: 9000, nodePort: 30_090 },
];
const POD = { from: 'pod', source: '10.244.0.9', protocol: 'tcp' } as const;
const TARGETS = [
  { ...POD, destination: '10.96.0.10', port: 80 },
  { ...POD, destination: '10.96.0.11', port: 80 },
  { from: 'external', source: '192.0.2.7', protocol: 'tcp', destination: '172.18.0.2', port: 30_080 },
] as const;
const patience = { timeout: 40_000, interval: 20 };

let stack = new AsyncDisposableStack();
afterEach(async () => {
  await stack.disposeAsync();
  stack = new AsyncDisposableStack();
});

interface Host {
  readonly lab: PacketLab;
  readonly api: NamespaceApi;
  readonly start: (...words: readonly string[]) => HostProxy;
  readonly words: readonly string[];
}

async function createHost(): Promise<Host> {
  const lab = stack.use(await PacketLab.create('node-1', { ...LAB, backends: IPS.map((ip) => `${ip}:8080`) }));
  const api = stack.use(await serveApiIn(lab.node));
  const client = api.server.client('test');
  await client.create(resources.nodes, buildNode({ name: 'node-1', ips: ['172.18.0.2'] }));
  await client.create(resources.services, buildService({ type: 'NodePort', clusterIP: '10.96.0.10', ports: PORTS }));
  const sticky = buildService({ name: 'sticky', clusterIP: '10.96.0.11', spec: { sessionAffinity: 'ClientIP' } });
  await client.create(resources.services, sticky);
  const endpoints = IPS.map((ip) => buildEndpoint({ ip }));
  const ports = PORTS.map(({ name, targetPort, protocol }) => ({ name, port: targetPort, protocol }));
  await client.create(resources.endpointSlices, buildEndpointSlice({ ports, endpoints }));
  await client.create(resources.endpointSlices, buildEndpointSlice({ name: 'sticky-1', service: 'sticky', endpoints }));
  const words = ['--kubeconfig', api.kubeconfig, '--node-name', 'node-1', '--proxy-mode', 'userspace'];
  return { lab, api, words, start: (...more) => stack.use(startHostProxy(lab.node, [...words, ...more])) };
}

/** A connection that stays, to a server that sends back what it gets. */
async function openLong(lab: PacketLab) {
  for (const ip of IPS) {
    const server = createServer((socket) => socket.on('error', () => socket.destroy()).pipe(socket));
    stack.defer(() => void server.close());
    server.listen({ fd: listenTcp(lab.backends, { host: ip, port: 9000 }) });
  }
  const socket: Socket = connectTcp(lab.pods, { host: '10.96.0.10', port: 9000, localAddress: '10.244.0.9' });
  stack.defer(() => void socket.destroy());
  await once(socket, 'connect');
  const echo = async (text: string): Promise<string> => {
    const answer = once(socket, 'data') as Promise<[Buffer]>;
    socket.write(text);
    return (await answer)[0].toString();
  };
  return { socket, echo };
}

/** A UDP flow; servers tell who they are and from which port they were asked. */
async function openFlow(lab: PacketLab) {
  const open = async (netns: PacketLab['pods'], host: string, port: number): Promise<UdpSocket> => {
    const socket = createSocket('udp4');
    stack.defer(() => void socket.close());
    await new Promise<void>((resolve) => socket.bind({ fd: bindUdp(netns, { host, port }) }, resolve));
    return socket;
  };
  for (const ip of IPS) {
    const server = await open(lab.backends, ip, 9000);
    server.on('message', (_, { port, address }) => server.send(`${ip} ${port}`, port, address));
  }
  const client = await open(lab.pods, '10.244.0.9', 0);
  // The kernel of a busy machine drops datagrams: those that stay unanswered are sent again.
  return async (): Promise<string> => {
    const answer = once(client, 'message') as Promise<[Buffer]>;
    const send = (): void => client.send('?', 9000, '10.96.0.10');
    const again = setInterval(send, 1000);
    send();
    const [message] = await answer;
    clearInterval(again);
    return message.toString();
  };
}

async function ended({ program }: HostProxy): Promise<void> {
  expect(await program.exited).toEqual({ exitCode: 0, signal: undefined });
}

const answeredBy = async (lab: PacketLab): Promise<string> => {
  const outcome = await lab.send(TARGETS[1]);
  if (outcome.kind !== 'answered') throw new Error(outcome.kind);
  return outcome.backend;
};

describe('towtank proxy that takes over from a running one', () => {
  it(
    'fails no connection, again and again, and keeps what the old ones knew',
    async () => {
      const { lab, start } = await createHost();
      const first = start();
      await first.synced;
      await expect.poll(() => lab.send(TARGETS[0]), patience).toMatchObject({ kind: 'answered' });
      const long = await openLong(lab);
      const ask = await openFlow(lab);
      expect(await long.echo('first')).toBe('first');
      const [flow, sticky] = [await ask(), await answeredBy(lab)];
      const traffic = lab.keepSending(TARGETS);
      const old = [first];
      for (let round = 0; round < ROUNDS; round++) {
        const next = start();
        await expect.poll(() => next.log(), patience).toContain('listeners taken over: 4');
        await expect.poll(() => old.at(-1)!.log(), patience).toContain('has taken over');
        expect(await long.echo(`round ${round}`)).toBe(`round ${round}`);
        expect(await ask()).toBe(flow);
        expect(await answeredBy(lab)).toBe(sticky);
        old.push(next);
      }
      const outcomes = await traffic.stop();
      expect(outcomes.filter(({ kind }) => kind !== 'answered')).toEqual([]);
      expect(outcomes.length).toBeGreaterThan(20 * ROUNDS);
      // Those between the first and the last had nothing that lasted.
      await Promise.all(old.slice(1, -1).map(ended));
      // The long one, and short ones that were on their way.
      expect(first.log()).toMatch(/connections that go on here: [1-9]/);
      expect(await long.echo('last')).toBe('last');
      long.socket.end();
      await ended(first);
      expect(first.log()).toContain('the last connection has ended');
    },
    60_000 + 10_000 * ROUNDS,
  );

  it('follows what changes, and answers for health', async () => {
    const { lab, api, start } = await createHost();
    await start().synced;
    const second = start();
    await expect.poll(() => second.log(), patience).toContain('listeners taken over');
    const client = api.server.client('test');
    const endpoints = [buildEndpoint({ ip: IPS[3]! })];
    await client.patch(
      resources.endpointSlices,
      { name: 'sticky-1', namespace: 'default' },
      { type: 'merge', body: { endpoints } },
    );
    await expect.poll(() => answeredBy(lab), patience).toBe(`${IPS[3]}:8080`);
    await client.create(resources.services, buildService({ name: 'late', clusterIP: '10.96.0.12' }));
    await client.create(resources.endpointSlices, buildEndpointSlice({ name: 'late-1', service: 'late', endpoints }));
    const health = connectTcp(lab.node, { host: '127.0.0.1', port: 10_256 });
    health.end('GET /healthz HTTP/1.0\r\n\r\n');
    expect(await text(health)).toContain('200 OK');
    const late = { ...POD, destination: '10.96.0.12', port: 80 };
    await expect.poll(() => lab.send(late), patience).toMatchObject({ kind: 'answered' });
  });

  it('takes over more sockets than one message can pass', async () => {
    const { lab, api, start } = await createHost();
    const client = api.server.client('test');
    const endpoints = [buildEndpoint({ ip: IPS[0]! })];
    for (let index = 0; index < 300; index++) {
      const clusterIP = `10.96.${1 + Math.floor(index / 200)}.${1 + (index % 200)}`;
      const service = `many-${index}`;
      await client.create(resources.services, buildService({ name: service, clusterIP }));
      await client.create(resources.endpointSlices, buildEndpointSlice({ name: `${service}-1`, service, endpoints }));
    }
    const first = start();
    await first.synced;
    const second = start();
    await expect.poll(() => second.log(), patience).toContain('listeners taken over: 304');
    await ended(first);
    for (const destination of ['10.96.1.1', '10.96.2.100']) {
      expect(await lab.send({ ...POD, destination, port: 80 })).toMatchObject({ kind: 'answered' });
    }
  });

  it('resets the connections of the old one after the drain time-out', async () => {
    const { lab, start } = await createHost();
    const first = start('--drain-timeout', '100ms');
    await first.synced;
    await expect.poll(() => lab.send(TARGETS[0]), patience).toMatchObject({ kind: 'answered' });
    const long = await openLong(lab);
    expect(await long.echo('a')).toBe('a');
    const reset = once(long.socket, 'error');
    start();
    expect(await reset).toMatchObject([{ code: 'ECONNRESET' }]);
    await ended(first);
    expect(first.log()).toMatch(/connections reset: [1-9]/);
  });

  it('starts from nothing when the old one is killed before it gave anything', async () => {
    const { lab, api, start } = await createHost();
    const first = start();
    await first.synced;
    await api.goAway();
    const second = start();
    await expect.poll(() => second.log(), patience).toContain('taking over from it');
    first.program.kill('SIGKILL');
    await first.program.exited;
    await api.comeBack();
    await second.synced;
    expect(await lab.send(TARGETS[0])).toMatchObject({ kind: 'answered' });
  });

  it('is refused for another node', async () => {
    const { lab, start, words } = await createHost();
    await start().synced;
    const { exitCode, stderr } = await runHostProxy(lab.node, [...words, '--node-name', 'node-2']);
    expect({ exitCode, stderr }).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('it is the proxy of node node-1'),
    });
    expect(await lab.send(TARGETS[0])).toMatchObject({ kind: 'answered' });
  });
});

// The new proxy is this test here, so that it can end at any point: its descriptors are closed, as the kernel does.
describe('towtank proxy whose successor fails', () => {
  const meet = (lab: PacketLab): RunningProxy => lab.node.run(() => RunningProxy.find())!;

  function take(running: RunningProxy): DisposableStack {
    const taken = running.take('node-1')!;
    const fds = [taken.control, ...[...taken.servers].map(({ descriptor }) => descriptor)];
    const descriptors = new DisposableStack();
    for (const fd of [...fds, ...taken.listeners.flatMap((listener) => listener.descriptors)])
      descriptors.defer(() => closeSync(fd));
    return descriptors;
  }

  it.each(['before it is ready', 'before it serves'])('goes on as before when that ends %s', async (when) => {
    const { lab, api, start } = await createHost();
    const first = start();
    await first.synced;
    await expect.poll(() => lab.send(TARGETS[0]), patience).toMatchObject({ kind: 'answered' });
    const traffic = lab.keepSending(TARGETS);
    const running = meet(lab);
    const descriptors = take(running);
    if (when === 'before it serves') for (const { flows } of running.ready()!.clients) expect(flows).toEqual([]);
    running[Symbol.dispose]();
    descriptors.dispose();
    await expect.poll(() => first.log(), patience).toContain('did not take over: it has ended');
    const endpoints = [buildEndpoint({ ip: IPS[3]! })];
    const slice = { name: 'sticky-1', namespace: 'default' };
    await api.server.client('test').patch(resources.endpointSlices, slice, { type: 'merge', body: { endpoints } });
    await expect.poll(() => answeredBy(lab), patience).toBe(`${IPS[3]}:8080`);
    expect((await traffic.stop()).filter(({ kind }) => kind !== 'answered')).toEqual([]);
    const second = start();
    await expect.poll(() => second.log(), patience).toContain('listeners taken over');
    await ended(first);
  });

  it('hands over to one at a time', async () => {
    const { lab, start, words } = await createHost();
    await start().synced;
    using running = meet(lab);
    using descriptors = take(running);
    const { exitCode, stderr } = await runHostProxy(lab.node, words);
    expect({ exitCode, stderr }).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('another proxy is taking over from it'),
    });
    expect(descriptors.disposed).toBe(false);
  });

  it('lets a new one go on alone when it is killed itself', async () => {
    const { lab, start } = await createHost();
    const first = start();
    await first.synced;
    using running = meet(lab);
    using descriptors = take(running);
    first.program.kill('SIGKILL');
    await first.program.exited;
    expect(running.ready()).toBeUndefined();
    expect(descriptors.disposed).toBe(false);
  });
});
