import type { Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { COUNTER } from '../../../src/proxy/userspace/counters.ts';
import { leaveNothing } from '../../helpers/leak-check.ts';
import { sendFromPortZero } from '../../helpers/send-from-port-zero.ts';
import { TRANSPORTS, TransportLab } from '../../helpers/transport-lab.ts';

const PATIENCE = { timeout: 50_000 };

leaveNothing();

describe.each(TRANSPORTS)('UDP by %s', (kind) => {
  it.each([false, true])('answers come from the address that was asked (IPv6: %s)', async (v6) => {
    await using lab = new TransportLab(kind, { v6 });
    const portal = lab.listen([await lab.serveUdp((message) => Buffer.concat([message, Buffer.from('!')]))], {
      protocol: 'udp',
    });
    const client = await lab.udp(portal);
    for (const text of ['one', 'two', 'three']) {
      client.send(text);
      // A connected socket takes datagrams of that address only.
      expect(String((await once(client, 'message'))[0])).toBe(`${text}!`);
    }
  });

  it('each client keeps its endpoint, and clients are spread in turn', async () => {
    await using lab = new TransportLab(kind, { threads: 1 });
    const targets = await Promise.all(['a', 'b', 'c'].map((name) => lab.serveUdp(() => Buffer.from(name))));
    const portal = lab.listen(targets, { protocol: 'udp' });
    let answers = '';
    for (let count = 0; count < 6; count++) {
      const client = await lab.udp(portal);
      for (let again = 0; again < 2; again++) {
        client.send('?');
        answers += String((await once(client, 'message'))[0]);
      }
    }
    expect(answers).toBe('aabbccaabbcc');
  });

  it('an endpoint sees one source for each client', async () => {
    await using lab = new TransportLab(kind);
    const server = await lab.serveUdp((_, { port }) => Buffer.from(String(port)));
    const portal = lab.listen([server], { protocol: 'udp' });
    const clients = await Promise.all(Array.from({ length: 5 }, () => lab.udp(portal)));
    const ask = async (): Promise<readonly string[]> =>
      Promise.all(
        clients.map(async (client) => {
          client.send('?');
          return String((await once(client, 'message'))[0]);
        }),
      );
    const first = await ask();
    expect(new Set(first).size).toBe(5);
    expect(await ask()).toEqual(first);
  });

  it.each([0, 1, 1400, 60_000])('a datagram of %i bytes arrives whole', async (size) => {
    await using lab = new TransportLab(kind);
    const portal = lab.listen([await lab.serveUdp((message) => message)], { protocol: 'udp' });
    const client = await lab.udp(portal);
    const message = Buffer.alloc(size, 'x');
    client.send(message);
    expect((await once(client, 'message'))[0]).toEqual(message);
  });

  it('many datagrams of many clients arrive, each once', async () => {
    await using lab = new TransportLab(kind);
    const portal = lab.listen([await lab.serveUdp((message) => message)], { protocol: 'udp' });
    const clients = await Promise.all(Array.from({ length: 20 }, () => lab.udp(portal)));
    await Promise.all(
      clients.map(async (client, number) => {
        for (let round = 0; round < 40; round++) {
          const expected = Array.from({ length: 5 }, (_, index) => `${number} ${round} ${index}`);
          const got: string[] = [];
          const { promise, resolve } = Promise.withResolvers<void>();
          const take = (message: Buffer): void => {
            if (got.push(String(message)) === expected.length) resolve();
          };
          client.on('message', take);
          for (const text of expected) client.send(text);
          await promise;
          client.off('message', take);
          expect(got.sort()).toEqual(expected);
        }
      }),
    );
  });

  it('a client hears by ICMP that its endpoint does not listen, and then asks the next one', async () => {
    await using lab = new TransportLab(kind, { threads: 1 });
    const server = await lab.serveUdp(() => Buffer.from('here'));
    const portal = lab.listen([lab.nobody(), server], { protocol: 'udp' });
    await expectRefusalThenAnswer(await lab.udp(portal));
    expect(lab.errors).toEqual([]);
  });

  it('a client hears by ICMP that there is no way to its endpoint, and the next one serves', async () => {
    await using lab = new TransportLab(kind, { threads: 1 });
    const server = await lab.serveUdp(() => Buffer.from('here'));
    const portal = lab.listen([{ ip: '192.0.2.1', port: 9, address: '192.0.2.1:9' }, server], { protocol: 'udp' });
    await expectRefusalThenAnswer(await lab.udp(portal));
  });

  it('what comes from port 0 reaches its endpoint, and its answer nobody', async () => {
    await using lab = new TransportLab(kind, { threads: 1 });
    const heard: string[] = [];
    const server = await lab.serveUdp((message) => {
      heard.push(String(message));
      return message;
    });
    const portal = lab.listen([server], { protocol: 'udp' });
    sendFromPortZero(lab.netns, portal, 'nowhere');
    const client = await lab.udp(portal);
    client.send('here');
    expect(String((await once(client, 'message'))[0])).toBe('here');
    expect(heard).toEqual(['nowhere', 'here']);
    await expect.poll(() => lab.transport.counters('node-1')[0]?.counters[COUNTER.datagramsOut], PATIENCE).toBe(2);
  });

  it('a client hears by ICMP that there is no endpoint', async () => {
    await using lab = new TransportLab(kind, { v6: true });
    const portal = lab.listen([], { protocol: 'udp' });
    const client = await lab.udp(portal);
    client.send('?');
    const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
  });

  it('a flow is forgotten after the idle limit', async () => {
    await using lab = new TransportLab(kind, { limits: { udpIdleMs: 100 } });
    const portal = lab.listen([await lab.serveUdp((message) => message)], { protocol: 'udp' });
    const client = await lab.udp(portal);
    client.send('?');
    await once(client, 'message');
    await expect.poll(() => lab.transport.connections(), PATIENCE).toEqual([]);
    const [{ counters } = { counters: [] }] = lab.transport.counters('node-1');
    expect([counters[COUNTER.opened], counters[COUNTER.closed], counters[COUNTER.idle]]).toEqual([1, 1, 1]);
  });

  it('flows to an endpoint that left end at once', async () => {
    await using lab = new TransportLab(kind);
    const [old, fresh] = [await lab.serveUdp(() => Buffer.from('old')), await lab.serveUdp(() => Buffer.from('fresh'))];
    const portal = lab.listen([old], { protocol: 'udp' });
    const client = await lab.udp(portal);
    client.send('?');
    expect(String((await once(client, 'message'))[0])).toBe('old');
    lab.transport.update(portal.id, { ...portal.policy, targets: [fresh] });
    await expect.poll(() => lab.transport.connections(), PATIENCE).toEqual([]);
    client.send('?');
    expect(String((await once(client, 'message'))[0])).toBe('fresh');
  });

  it('flows are listed with what they carried', async () => {
    await using lab = new TransportLab(kind);
    const server = await lab.serveUdp(() => Buffer.from('1234567'));
    const portal = lab.listen([server], { protocol: 'udp' });
    const client = await lab.udp(portal);
    client.send('12345');
    await once(client, 'message');
    expect(await lab.transport.connections()).toEqual([
      {
        node: 'node-1',
        protocol: 'udp',
        service: 'default/listener-0',
        client: `127.0.0.1:${client.address().port}`,
        endpoint: server.address,
        ageSeconds: expect.any(Number),
        bytesIn: 5,
        bytesOut: 7,
      },
    ]);
  });
});

// A connected socket hears of a refusal.
async function expectRefusalThenAnswer(client: UdpSocket): Promise<void> {
  client.send('?');
  const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ECONNREFUSED');
  client.on('error', () => {});
  client.send('?');
  expect(String((await once(client, 'message'))[0])).toBe('here');
}
