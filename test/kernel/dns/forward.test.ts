import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { Packet } from 'dns-packet';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { DnsServerOptions } from '../../../src/dns/server/dns-server.ts';
import { buildQuery } from '../../helpers/dns-chain.ts';
import { askTcp, askUdp } from '../../helpers/dns-client.ts';
import { type JudgedReply, judgeReply } from '../../helpers/dns-judge.ts';
import { startTestServer } from '../../helpers/dns-test-server.ts';
import { FakeResolver, type Resolve } from '../../helpers/fake-resolver.ts';
import { metricOf } from '../../helpers/metric-of.ts';
import { SteppedClock, settled } from '../../helpers/stepped-clock.ts';

type Running = Awaited<ReturnType<typeof startTestServer>>;

beforeAll(() => execFileSync('ip', ['link', 'set', 'lo', 'up']));

let stack: AsyncDisposableStack;
beforeEach(() => {
  stack = new AsyncDisposableStack();
});
afterEach(() => stack.disposeAsync());

/** Answers every A query with one address. */
const says =
  (address: string): Resolve =>
  (query) =>
    reply(query, [{ type: 'A', name: query.questions![0]!.name, ttl: 60, data: address }]);

const reply = (query: Packet, answers: unknown[], flags = 0x0180): Packet =>
  ({ ...query, flags, answers, additionals: [] }) as unknown as Packet;

async function resolver(resolve: Resolve): Promise<FakeResolver> {
  return stack.use(await FakeResolver.start(resolve));
}

async function start(
  options: string,
  upstreams: readonly FakeResolver[],
  more: Partial<DnsServerOptions> = {},
): Promise<Running> {
  const to = upstreams.map(({ port }) => `127.0.0.1:${port}`).join(' ');
  return stack.use(await startTestServer(`. {\n errors\n forward . ${to} {\n${options}\n}\n}\n`, [], more));
}

async function ask(server: Running, name = 'www.example.', transport: 'udp' | 'tcp' = 'udp'): Promise<JudgedReply> {
  const packet = buildQuery(name, 'A');
  const bytes =
    transport === 'udp'
      ? await askUdp(packet, { port: server.port })
      : (await askTcp(packet, { port: server.port }))[0];
  return judgeReply(bytes!);
}

const addressesOf = async (server: Running, count: number): Promise<unknown[]> => {
  const addresses: unknown[] = [];
  for (let i = 0; i < count; i++) addresses.push((await ask(server)).answer[0]?.data);
  return addresses;
};

describe('a network with few ways out', () => {
  it('is asked where there is a way, and refused with the reason where there is none', async () => {
    const inside = await resolver(says('192.0.2.1'));
    const server = await start('', [inside], { upstream: ['10.0.0.0/8', '127.0.0.0/8'] });
    expect((await ask(server)).answer[0]?.data).toBe('192.0.2.1');
    const other = await start('', [inside], { upstream: ['10.0.0.0/8', 'fd00::/8'] });
    expect((await ask(other)).rcode).toBe('SERVFAIL');
    expect(inside.queries).toHaveLength(1);
  });
});

describe('the choice of an upstream', () => {
  const three = async (): Promise<readonly FakeResolver[]> =>
    Promise.all(['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((address) => resolver(says(address))));

  it('is the first with policy sequential', async () => {
    const server = await start('policy sequential', await three());
    expect(await addressesOf(server, 3)).toEqual(['192.0.2.1', '192.0.2.1', '192.0.2.1']);
  });

  it('goes around with policy round_robin', async () => {
    const server = await start('policy round_robin', await three());
    expect(await addressesOf(server, 4)).toEqual(['192.0.2.2', '192.0.2.3', '192.0.2.1', '192.0.2.2']);
  });

  it('is any without a policy', async () => {
    const server = await start('', await three());
    expect(new Set(await addressesOf(server, 40)).size).toBe(3);
  });
});

describe('an upstream that fails', () => {
  it('is passed over for the next, and asked again when its health check succeeds', async () => {
    const clock = new SteppedClock();
    let silent = true;
    const first = await resolver((query) => (silent ? undefined : says('192.0.2.1')(query, 'udp')));
    const second = await resolver(says('192.0.2.2'));
    const server = await start('policy sequential\nmax_fails 1\nhealth_check 500ms', [first, second], { clock });
    const answer = ask(server);
    await expect.poll(() => first.queries.length).toBe(1);
    await clock.step(2000);
    expect((await answer).answer[0]?.data).toBe('192.0.2.2');
    // The health check is silent too, twice: now the first counts as down.
    for (let i = 0; i < 2; i++) {
      await expect.poll(() => first.queries.length).toBe(2 + i);
      await clock.step(2500);
    }
    const failures = `coredns_proxy_healthcheck_failures_total{proxy_name="forward",to="127.0.0.1:${first.port}"}`;
    expect(metricOf(server.server.metrics(), failures)).toBeGreaterThan(1);
    expect(await addressesOf(server, 2)).toEqual(['192.0.2.2', '192.0.2.2']);
    expect(
      first.queries.every(({ questions }) => questions?.[0]?.name === '.' || questions?.[0]?.name === 'www.example'),
    ).toBe(true);
    silent = false;
    for (let i = 0; i < 4; i++) {
      await clock.step(1000);
      await settled(20);
    }
    await expect.poll(() => addressesOf(server, 1)).toEqual(['192.0.2.1']);
  });

  it('that refuses the port gives SERVFAIL when there is no other', async () => {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const { port } = socket.address();
    socket.close();
    const logged: string[] = [];
    const server = await start('', [{ port } as FakeResolver], { log: (_level, line) => void logged.push(line) });
    expect(await ask(server)).toMatchObject({ rcode: 'SERVFAIL', answer: [] });
    expect(logged.join('\n')).toMatch(/plugin\/errors: 2 www\.example\. A: .*ECONNREFUSED/);
  });

  it('that says what `failover` names is passed over too', async () => {
    const broken = await resolver((query) => reply(query, [], 0x0182));
    const server = await start('policy sequential\nfailover SERVFAIL', [broken, await resolver(says('192.0.2.2'))]);
    expect(await addressesOf(server, 1)).toEqual(['192.0.2.2']);
    expect(broken.queries).toHaveLength(1);
  });

  it('that answers another question gives FORMERR', async () => {
    const confused = await FakeResolver.start((query) => {
      (query.questions![0] as { name: string }).name = 'other.example';
      return reply(query, []);
    });
    stack.use(confused);
    expect((await ask(await start('', [confused]))).rcode).toBe('FORMERR');
  });
});

describe('limits', () => {
  it('refuses more than max_concurrent queries at once', async () => {
    const clock = new SteppedClock();
    const silent = await resolver(() => undefined);
    const server = await start('max_concurrent 2\nmax_fails 0', [silent], { clock });
    const waiting = [ask(server, 'a.example.'), ask(server, 'b.example.')];
    await expect.poll(() => silent.queries.length).toBe(2);
    expect((await ask(server, 'c.example.')).rcode).toBe('REFUSED');
    expect(metricOf(server.server.metrics(), 'coredns_forward_max_concurrent_rejects_total')).toBe(1);
    await clock.step(2000);
    await expect.poll(() => silent.queries.length).toBe(4);
    await clock.step(2000);
    expect((await Promise.all(waiting)).map(({ rcode }) => rcode)).toEqual(['SERVFAIL', 'SERVFAIL']);
  });
});

describe('transports', () => {
  it('passes UDP on over UDP and TCP over TCP, and uses sockets again until they expire', async () => {
    const clock = new SteppedClock();
    const transports: string[] = [];
    const upstream = await resolver((query, transport) => {
      transports.push(transport);
      return says('192.0.2.1')(query, transport);
    });
    const server = await start('expire 5s', [upstream], { clock });
    await ask(server);
    await ask(server, 'www.example.', 'tcp');
    await ask(server);
    await clock.step(6000);
    await ask(server);
    expect(transports).toEqual(['udp', 'tcp', 'udp', 'udp']);
    const labels = `{proto="udp",proxy_name="forward",to="127.0.0.1:${upstream.port}"}`;
    const metrics = server.server.metrics();
    expect(metricOf(metrics, `coredns_proxy_conn_cache_hits_total${labels}`)).toBe(1);
    expect(metricOf(metrics, `coredns_proxy_conn_cache_misses_total${labels}`)).toBe(2);
  });

  it('asks over TCP alone with force_tcp, and again over TCP what was cut with prefer_udp', async () => {
    const transports: string[] = [];
    const upstream = await resolver((query, transport) => {
      transports.push(transport);
      return transport === 'udp' ? reply(query, [], 0x0380) : says('192.0.2.1')(query, transport);
    });
    expect((await ask(await start('force_tcp', [upstream]))).answer).toHaveLength(1);
    expect((await ask(await start('prefer_udp', [upstream]))).answer).toHaveLength(1);
    expect((await ask(await start('', [upstream]))).flags.tc).toBe(true);
    expect(transports).toEqual(['tcp', 'udp', 'tcp', 'udp']);
  });

  it('opens a new TCP connection when the other side has closed the idle one', async () => {
    const upstream = await resolver(says('192.0.2.1'));
    const server = await start('force_tcp', [upstream]);
    await ask(server);
    upstream.closeConnections();
    expect((await ask(server)).answer).toHaveLength(1);
  });
});

describe('several forward blocks', () => {
  it('are asked by zone, and after one another with next', async () => {
    const inner = await resolver((query) =>
      query.questions![0]!.name.startsWith('gone') ? reply(query, [], 0x0183) : says('192.0.2.1')(query, 'udp'),
    );
    const outer = await resolver(says('192.0.2.2'));
    const corefile = `. {\n forward corp.example 127.0.0.1:${inner.port} {\n next NXDOMAIN\n }\n forward . 127.0.0.1:${outer.port}\n}\n`;
    const server = stack.use(await startTestServer(corefile, []));
    const first = async (name: string): Promise<unknown> => (await ask(server, name)).answer[0]?.data;
    expect(await first('www.corp.example.')).toBe('192.0.2.1');
    expect(await first('gone.corp.example.')).toBe('192.0.2.2');
    expect(await first('www.example.')).toBe('192.0.2.2');
  });
});
