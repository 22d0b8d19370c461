import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { beforeAll, describe, expect, it } from 'vitest';
import { defaultCorefile } from '../../../src/dns/default-corefile.ts';
import { DnsServer } from '../../../src/dns/server/dns-server.ts';
import { ClusterZone } from '../../../src/dns/zone/cluster-zone.ts';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { SharedInformers } from '../../../src/kube/informers.ts';
import { resources } from '../../../src/kube/resources.ts';
import { buildNamespace, buildService } from '../../helpers/build-objects.ts';
import { buildQuery } from '../../helpers/dns-chain.ts';
import { askTcp, askUdp, frame, splitFrames } from '../../helpers/dns-client.ts';
import { judgeReply } from '../../helpers/dns-judge.ts';
import { startTestServer } from '../../helpers/dns-test-server.ts';
import { FakeKubeClient } from '../../helpers/fake-kube-client.ts';
import { metricOf } from '../../helpers/metric-of.ts';
import { sendFromPortZero } from '../../helpers/send-from-port-zero.ts';
import { SteppedClock } from '../../helpers/stepped-clock.ts';

const shop = buildNamespace({ name: 'shop' });
const web = buildService({
  ...{ name: 'web', namespace: 'shop', clusterIP: '10.96.0.7' },
  ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
});
const WEB = buildQuery('web.shop.svc.cluster.local.', 'A');

beforeAll(() => execFileSync('ip', ['link', 'set', 'lo', 'up']));

const answersOf = async (packet: Uint8Array, port: number, host?: string): Promise<readonly unknown[]> => {
  const reply = await askUdp(packet, { port, ...(host === undefined ? {} : { host }) });
  return judgeReply(reply!).answer.map(({ data }) => data);
};

describe('HTTP pages', () => {
  it('say what CoreDNS says, at its ports', async () => {
    const client = new FakeKubeClient();
    const informers = new SharedInformers(client, client.clock);
    let synced: (() => void) | undefined;
    // The first list waits until the test lets it go.
    client.list = gated(client.list.bind(client), new Promise<void>((resolve) => (synced = resolve)));
    const zone = new ClusterZone(informers, client.clock);
    const corefile = defaultCorefile({ forwardTo: '192.0.2.1' });
    const starting = DnsServer.start({
      ...{ corefile, zone, clock: client.clock, random: Math.random, log: () => undefined },
      listen: { address: '127.0.0.1', port: 0 },
    });
    await untilListening(8080);
    expect(await get(8080, '/health')).toEqual({ status: 200, body: 'OK', type: 'text/plain' });
    expect(await get(8181, '/ready')).toEqual({ status: 503, body: 'kubernetes', type: 'text/plain' });
    client.put(resources.namespaces, shop);
    client.put(resources.services, web);
    synced?.();
    const server = await starting;
    expect(await get(8181, '/ready')).toEqual({ status: 200, body: 'OK', type: 'text/plain' });
    expect(await answersOf(WEB, server.listening[0]!.port)).toEqual(['10.96.0.7']);
    const metrics = await get(9153, '/metrics');
    expect(metrics.type).toBe('text/plain; version=0.0.4; charset=utf-8');
    const requests =
      'coredns_dns_requests_total{family="1",proto="udp",server="dns://127.0.0.1:0",type="A",view="",zone="."}';
    expect(metricOf(metrics.body, requests)).toBe(1);
    expect((await get(9153, '/other')).status).toBe(404);
    await server.kill();
    await expect(get(8080, '/health')).rejects.toThrow('ECONNREFUSED');
  });
});

it('a query from port 0, which cannot be answered, harms nobody', async () => {
  await using own = await startTestServer('. {\n kubernetes cluster.local\n}\n', [shop, web]);
  const unusual = buildQuery('web.shop.svc.cluster.local.', 'ANY');
  for (const query of [WEB, unusual])
    sendFromPortZero(NetworkNamespace.current(), { host: '127.0.0.1', port: own.port }, query);
  expect(await answersOf(WEB, own.port)).toEqual(['10.96.0.7']);
});

describe('lameduck', () => {
  it('takes readiness away at once, and answers for its time', async () => {
    const clock = new SteppedClock();
    const corefile = '. {\n health :8080 {\n lameduck 5s\n }\n ready :8181\n kubernetes cluster.local\n}\n';
    await using own = await startTestServer(corefile, [shop, web], { clock });
    expect((await get(8181, '/ready')).status).toBe(200);
    const closing = own.server[Symbol.asyncDispose]();
    await expect(get(8181, '/ready')).rejects.toThrow('ECONNREFUSED');
    expect((await get(8080, '/health')).status).toBe(200);
    await clock.step(4900);
    expect(await answersOf(WEB, own.port)).toEqual(['10.96.0.7']);
    await clock.step(200);
    await closing;
    await expect(get(8080, '/health')).rejects.toThrow('ECONNREFUSED');
  });
});

describe('reload', () => {
  it('takes a changed Corefile over without closing the sockets both use', async () => {
    const clock = new SteppedClock();
    let text = '. {\n reload 2s 0s\n kubernetes cluster.local\n}\n';
    const logged: string[] = [];
    const log = (level: string, line: string): void => void logged.push(`${level} ${line}`);
    await using own = await startTestServer('', [shop, web], { clock, corefile: async () => text, log });
    const connection = connect(own.port, '127.0.0.1');
    const next = async (name: string): Promise<string> => {
      connection.write(frame(buildQuery(name, 'A')));
      const [chunk] = (await once(connection, 'data')) as [Buffer];
      return judgeReply(splitFrames(chunk)[0]!).rcode;
    };
    expect(await next('web.shop.svc.cluster.local.')).toBe('NOERROR');
    expect(await next('web.shop.svc.other.local.')).toBe('SERVFAIL');
    text = text.replace('cluster.local', 'other.local');
    await clock.step(2000);
    await own.server.reload(text);
    expect(await next('web.shop.svc.other.local.')).toBe('NOERROR');
    text = '. {\n kubernetes cluster.local {\n nonsense\n }\n}\n';
    await clock.step(2000);
    await expect.poll(() => logged.join('\n')).toContain("unknown property 'nonsense'");
    expect(await next('web.shop.svc.other.local.')).toBe('NOERROR');
    expect(metricOf(own.server.metrics(), 'coredns_reload_failed_total')).toBe(1);
    connection.destroy();
  });

  it('opens and closes addresses as the Corefile says', async () => {
    await using own = await startTestServer('.:5301 {\n kubernetes cluster.local\n}\n', [shop, web], {
      listen: undefined as never,
    });
    expect(await answersOf(WEB, 5301)).toEqual(['10.96.0.7']);
    await own.server.reload('.:5302 {\n bind 127.0.0.2\n kubernetes cluster.local\n}\n');
    expect(own.server.listening).toEqual([{ address: '127.0.0.2', port: 5302 }]);
    expect(await answersOf(WEB, 5302, '127.0.0.2')).toEqual(['10.96.0.7']);
    expect(await askUdp(WEB, { port: 5301, timeout: 100 }).catch(() => undefined)).toBeUndefined();
  });

  it('goes on with the old Corefile when an address of the new one is taken', async () => {
    const taken = createServer().listen(5303, '127.0.0.1');
    await once(taken, 'listening');
    await using own = await startTestServer('.:5301 {\n bind 127.0.0.1\n kubernetes cluster.local\n}\n', [shop, web], {
      listen: undefined as never,
    });
    await expect(own.server.reload('.:5303 {\n bind 127.0.0.1\n kubernetes other.local\n}\n')).rejects.toThrow(
      'EADDRINUSE',
    );
    expect(await answersOf(WEB, 5301)).toEqual(['10.96.0.7']);
    taken.close();
  });
});

describe('a forwarding loop', () => {
  it('ends the server, as it asks itself when it starts', async () => {
    const clock = new SteppedClock();
    const corefile = '.:5305 {\n bind 127.0.0.1\n loop\n forward . 127.0.0.1:5305\n}\n';
    await using own = await startTestServer(corefile, [], { clock, listen: undefined as never });
    await expect(own.server.failed).rejects.toThrow(/Loop \(127\.0\.0\.1:\d+ -> 127\.0\.0\.1\) detected for zone "\."/);
  });
});

describe('a client that does not read', () => {
  it('gets every answer when it does, and keeps others from nothing meanwhile', async () => {
    const big = buildService({ name: 'big', namespace: 'shop', clusterIP: '10.96.0.8' });
    await using own = await startTestServer('. {\n kubernetes cluster.local\n}\n', [shop, big]);
    const socket = connect(own.port, '127.0.0.1');
    const count = 100_000;
    const query = frame(buildQuery('big.shop.svc.cluster.local.', 'A'));
    let received = 0;
    socket.pause();
    const all = Buffer.concat(Array.from({ length: count }, () => query));
    socket.end(all);
    const size = judgeReply((await askTcp(query.subarray(2), { port: own.port }))[0]!).bytes + 2;
    socket.on('data', (chunk) => (received += chunk.length));
    socket.resume();
    await once(socket, 'close');
    expect(received).toBe(count * size);
  });
});

describe('several servers of one zone', () => {
  it('share what the API told: one list and one watch of each kind', async () => {
    const client = new FakeKubeClient();
    client.put(resources.namespaces, shop);
    client.put(resources.services, web);
    const informers = new SharedInformers(client, client.clock);
    const zone = new ClusterZone(informers, client.clock);
    const start = (address: string): Promise<DnsServer> =>
      DnsServer.start({
        ...{
          corefile: '. {\n kubernetes cluster.local\n}\n',
          zone,
          clock: client.clock,
          random: Math.random,
          log: () => undefined,
        },
        listen: { address, port: 5310 },
      });
    const servers = await Promise.all(['127.0.0.1', '127.0.0.2', '127.0.0.3'].map(start));
    client.put(resources.services, {
      ...web,
      spec: { ...web.spec!, clusterIP: '10.96.0.9', clusterIPs: ['10.96.0.9'] },
    });
    for (const host of ['127.0.0.1', '127.0.0.2', '127.0.0.3']) {
      await expect.poll(() => answersOf(WEB, 5310, host)).toEqual(['10.96.0.9']);
    }
    const lists = client.actions.filter(({ verb }) => verb === 'list').map(({ resource }) => resource);
    expect(lists.sort()).toEqual(['endpointslices', 'namespaces', 'services']);
    await Promise.all(servers.map((server) => server.kill()));
  });
});

async function get(port: number, path: string): Promise<{ status: number; body: string; type: string | null }> {
  const socket = connect(port, '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  await once(socket, 'connect');
  socket.end(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  await once(socket, 'close');
  const [head = '', body = ''] = Buffer.concat(chunks).toString().split('\r\n\r\n');
  const type = /^content-type: (.*)$/im.exec(head)?.[1]?.trim() ?? null;
  return { status: Number(head.split(' ')[1]), body, type };
}

async function untilListening(port: number): Promise<void> {
  await expect
    .poll(() =>
      get(port, '/').then(
        () => true,
        () => false,
      ),
    )
    .toBe(true);
}

function gated<T extends (...args: never[]) => Promise<unknown>>(list: T, gate: Promise<void>): T {
  return (async (...args: Parameters<T>) => {
    await gate;
    return list(...args);
  }) as T;
}
