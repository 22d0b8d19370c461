import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { listenTcp, localPort } from '../../../src/kernel/sockets.ts';
import { COUNTER } from '../../../src/proxy/userspace/counters.ts';
import type { Target } from '../../../src/proxy/userspace/listener.ts';
import { leaveNothing } from '../../helpers/leak-check.ts';
import { echo, TRANSPORTS, TransportLab } from '../../helpers/transport-lab.ts';

/** Megabytes that a transfer moves; more with TOWTANK_BYTES_MB. */
const MEGABYTES = Number(process.env['TOWTANK_BYTES_MB'] ?? 24);
const PATIENCE = { timeout: 50_000 };
/** A transfer that comes back moves twice as much, and is hashed twice: 10 MB in a second are slow. */
const TRANSFER_MS = 60_000 + MEGABYTES * 100;

leaveNothing();

async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(socket, 'end');
  return Buffer.concat(chunks);
}

// Writes as fast as it is taken, and tells the hash of what was written.
async function send(socket: Socket, bytes: number): Promise<string> {
  const hash = createHash('sha1');
  const block = randomBytes(Math.min(bytes, 1 << 18));
  for (let sent = 0; sent < bytes; sent += block.length) {
    const part = block.subarray(0, bytes - sent);
    hash.update(part);
    if (!socket.write(part)) await once(socket, 'drain');
  }
  socket.end();
  return hash.digest('hex');
}

async function receive(socket: Socket): Promise<string> {
  const hash = createHash('sha1');
  socket.on('data', (chunk: Buffer) => hash.update(chunk));
  await once(socket, 'end');
  return hash.digest('hex');
}

const failure = (socket: Socket): Promise<string> =>
  new Promise((resolve) => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
    socket.on('end', () => resolve('end'));
    socket.resume();
  });

describe.each(TRANSPORTS)('TCP by %s', (kind) => {
  const wholeTransfer = async (count: number): Promise<void> => {
    await using lab = new TransportLab(kind);
    const portal = lab.listen([await lab.serve(echo)]);
    const bytes = Math.ceil((MEGABYTES * 2 ** 20) / count) + 17;
    const transfers = Array.from({ length: count }, async () => {
      const socket = lab.connect(portal);
      const received = receive(socket);
      return { sent: await send(socket, bytes), received: await received };
    });
    for (const { sent, received } of await Promise.all(transfers)) expect(received).toBe(sent);
    const [{ counters } = { counters: [] }] = lab.transport.counters('node-1');
    expect([counters[COUNTER.opened], counters[COUNTER.bytesIn], counters[COUNTER.bytesOut]]).toEqual([
      count,
      count * bytes,
      count * bytes,
    ]);
    expect(lab.errors).toEqual([]);
  };
  it.each([1, 8, 500])('what is sent through %i connections comes back as it was', wholeTransfer, TRANSFER_MS);

  it('IPv6 is carried alike', async () => {
    await using lab = new TransportLab(kind, { v6: true });
    const socket = lab.connect(lab.listen([await lab.serve(echo)]));
    const received = receive(socket);
    expect(await send(socket, 1 << 20)).toBe(await received);
  });

  it('a client that has ended still gets its answer', async () => {
    await using lab = new TransportLab(kind);
    const server = await lab.serve((socket) => {
      void readAll(socket).then((request) => socket.end(`got ${request.length}`));
    });
    const socket = lab.connect(lab.listen([server]));
    socket.end(Buffer.alloc(3_000_000));
    expect((await readAll(socket)).toString()).toBe('got 3000000');
  });

  it('a server that has ended still gets what the client sends', async () => {
    await using lab = new TransportLab(kind);
    const { promise, resolve } = Promise.withResolvers<number>();
    const server = await lab.serve((socket) => {
      socket.end('bye');
      void readAll(socket).then((all) => resolve(all.length));
    });
    const socket = lab.connect(lab.listen([server]));
    expect((await readAll(socket)).toString()).toBe('bye');
    socket.end(Buffer.alloc(3_000_000));
    expect(await promise).toBe(3_000_000);
  });

  it('a reset of the client reaches the server', async () => {
    await using lab = new TransportLab(kind);
    const { promise, resolve } = Promise.withResolvers<string>();
    const server = await lab.serve((socket) => {
      socket.write('hello');
      void failure(socket).then(resolve);
    });
    const socket = lab.connect(lab.listen([server]));
    await once(socket, 'data');
    socket.resetAndDestroy();
    expect(await promise).toBe('ECONNRESET');
  });

  it('a reset of the server reaches the client', async () => {
    await using lab = new TransportLab(kind);
    const server = await lab.serve((socket) => socket.once('data', () => socket.resetAndDestroy()));
    const socket = lab.connect(lab.listen([server]));
    socket.write('please');
    expect(await failure(socket)).toBe('ECONNRESET');
  });

  it('an endpoint that refuses is passed over before the first byte', async () => {
    await using lab = new TransportLab(kind);
    const server = await lab.serve(echo);
    const portal = lab.listen([lab.nobody(), lab.nobody(), server]);
    for (let call = 0; call < 6; call++) {
      const socket = lab.connect(portal);
      socket.end('ping');
      expect((await readAll(socket)).toString()).toBe('ping');
    }
    const [{ counters } = { counters: [] }] = lab.transport.counters('node-1');
    expect(counters[COUNTER.failedAttempts]).toBeGreaterThanOrEqual(6);
    expect(counters[COUNTER.unreachable]).toBe(0);
  });

  it('an endpoint that does not answer in time is passed over', async () => {
    await using lab = new TransportLab(kind, { limits: { connectTimeoutsMs: [50, 20_000] } });
    // Its queue is full: the kernel answers no further connection.
    using silent = fullServer(lab);
    const server = await lab.serve(echo);
    const socket = lab.connect(lab.listen([silent.target, server]));
    socket.end('ping');
    expect((await readAll(socket)).toString()).toBe('ping');
  }, 60_000);

  it('a client is reset when no endpoint answers', async () => {
    await using lab = new TransportLab(kind);
    const socket = lab.connect(lab.listen([lab.nobody(), lab.nobody()]));
    expect(await failure(socket)).toBe('ECONNRESET');
    await expect.poll(() => readClosed(lab), PATIENCE).toBe(1);
  });

  it('what ends a long transfer arrives though nothing follows it, and answers go on as before', async () => {
    await using lab = new TransportLab(kind);
    const bytes = (80 << 20) + 17;
    const server = await lab.serve((socket) => {
      let received = 0;
      socket.on('data', (chunk: Buffer) => {
        received += chunk.length;
        if (received % bytes === 0) socket.write('all');
      });
    });
    const socket = lab.connect(lab.listen([server]));
    for (let transfer = 0; transfer < 2; transfer++) {
      const answer = once(socket, 'data');
      const block = Buffer.alloc(1 << 20);
      for (let sent = 0; sent < bytes; sent += block.length)
        if (!socket.write(block.subarray(0, bytes - sent))) await once(socket, 'drain');
      expect(String((await answer)[0])).toBe('all');
    }
  });

  it('a reader that takes nothing holds up nobody else, and memory stays bounded', async () => {
    await using lab = new TransportLab(kind);
    const portal = lab.listen([await lab.serve(echo)]);
    const slow = lab.connect(portal);
    let stalled = 0;
    const block = Buffer.alloc(1 << 16);
    const push = (): void => {
      while (stalled < 200 << 20 && slow.write(block)) stalled += block.length;
    };
    slow.on('drain', push);
    slow.on('connect', push);
    const others = Array.from({ length: 200 }, async () => {
      const socket = lab.connect(portal);
      const received = receive(socket);
      expect(await send(socket, 50_000)).toBe(await received);
    });
    await Promise.all(others);
    // What fits into the buffers of four sockets, and no more.
    expect(stalled).toBeLessThan(100 << 20);
    const received = receive(slow);
    slow.off('drain', push);
    slow.end();
    await received;
  });

  it('a connection whose endpoint dies in mid-transfer is reset, and the next one goes elsewhere', async () => {
    await using lab = new TransportLab(kind);
    const doomed = await lab.serve((socket) => {
      let seen = 0;
      socket.on('data', (chunk: Buffer) => {
        seen += chunk.length;
        if (seen > 1 << 20) socket.resetAndDestroy();
      });
    });
    const server = await lab.serve(echo);
    const portal = lab.listen([doomed]);
    const socket = lab.connect(portal);
    const failed = failure(socket);
    socket.write(Buffer.alloc(8 << 20));
    expect(['ECONNRESET', 'EPIPE']).toContain(await failed);
    lab.transport.update(portal.id, { ...portal.policy, targets: [server] });
    const next = lab.connect(portal);
    next.end('ping');
    expect((await readAll(next)).toString()).toBe('ping');
  });

  it('connections go on when their endpoint leaves the list, and new ones go to others', async () => {
    await using lab = new TransportLab(kind);
    const [old, fresh] = [await lab.serve(echo), await lab.serve((socket) => socket.end('fresh'))];
    const portal = lab.listen([old]);
    const socket = lab.connect(portal);
    socket.write('a');
    await once(socket, 'data');
    lab.transport.update(portal.id, { ...portal.policy, targets: [fresh] });
    await expect.poll(async () => (await readAll(lab.connect(portal))).toString(), PATIENCE).toBe('fresh');
    socket.write('b');
    expect(String(await once(socket, 'data'))).toBe('b');
  });

  it('connections to an endpoint that left are reset when the time for draining is over', async () => {
    await using lab = new TransportLab(kind, { limits: { drainMs: 50 } });
    const [old, stays] = [await lab.serve(echo), await lab.serve(echo)];
    const portal = lab.listen([old, stays]);
    const sockets = [lab.connect(portal), lab.connect(portal)];
    for (const socket of sockets) {
      socket.write('a');
      await once(socket, 'data');
    }
    lab.transport.update(portal.id, { ...portal.policy, targets: [stays] });
    expect(await Promise.race(sockets.map(failure))).toBe('ECONNRESET');
    await expect
      .poll(async () => (await lab.transport.connections()).map(({ endpoint }) => endpoint), PATIENCE)
      .toEqual([stays.address]);
  });

  it('a connection on which nothing is sent is reset after the idle limit', async () => {
    await using lab = new TransportLab(kind, { limits: { idleMs: 100 } });
    const socket = lab.connect(lab.listen([await lab.serve(echo)]));
    socket.write('a');
    await once(socket, 'data');
    expect(await failure(socket)).toBe('ECONNRESET');
  });

  it('a closed listener refuses, and what came through it goes on', async () => {
    await using lab = new TransportLab(kind);
    const portal = lab.listen([await lab.serve(echo)]);
    const socket = lab.connect(portal);
    socket.write('a');
    await once(socket, 'data');
    lab.transport.close(portal.id);
    await expect.poll(() => failure(lab.connect(portal)), PATIENCE).toBe('ECONNREFUSED');
    socket.write('b');
    expect(String(await once(socket, 'data'))).toBe('b');
  });

  it('endpoints are taken in turn, whichever thread accepts', async () => {
    await using lab = new TransportLab(kind);
    const targets = await Promise.all(['a', 'b', 'c'].map((name) => lab.serve((socket) => socket.end(name))));
    const portal = lab.listen(targets);
    let answers = '';
    for (let call = 0; call < 9; call++) answers += (await readAll(lab.connect(portal))).toString();
    expect(answers).toBe('abcabcabc');
  });

  it('a client with affinity stays where it was', async () => {
    await using lab = new TransportLab(kind);
    const targets = await Promise.all(['a', 'b', 'c'].map((name) => lab.serve((socket) => socket.end(name))));
    const portal = lab.listen(targets, { affinitySeconds: 100 });
    let answers = '';
    for (let call = 0; call < 9; call++) answers += (await readAll(lab.connect(portal))).toString();
    expect(answers).toBe('aaaaaaaaa');
  });

  it('an endpoint is told its client in the PROXY protocol', async () => {
    await using lab = new TransportLab(kind);
    const socket = lab.connect(lab.listen([await lab.serve(echo)], { proxyProtocol: true }));
    await once(socket, 'connect');
    const { localPort = 0 } = socket;
    socket.end('ping');
    const answer = await readAll(socket);
    expect(answer.subarray(0, 16).toString('hex')).toBe('0d0a0d0a000d0a515549540a2111000c');
    expect([...answer.subarray(16, 24)]).toEqual([127, 0, 0, 1, 10, 96, 0, 1]);
    expect([answer.readUInt16BE(24), answer.readUInt16BE(26)]).toEqual([localPort, 80]);
    expect(answer.subarray(28).toString()).toBe('ping');
  });

  it('open connections are listed with what they carried', async () => {
    await using lab = new TransportLab(kind);
    const server = await lab.serve(echo);
    const socket = lab.connect(lab.listen([server]));
    socket.write('12345');
    await once(socket, 'data');
    expect(await lab.transport.connections()).toEqual([
      {
        node: 'node-1',
        protocol: 'tcp',
        service: 'default/listener-0',
        client: `127.0.0.1:${socket.localPort}`,
        endpoint: server.address,
        ageSeconds: expect.any(Number),
        bytesIn: 5,
        bytesOut: 5,
      },
    ]);
  });
});

// A server that accepts nothing, with as many connections waiting as its queue holds.
function fullServer(lab: TransportLab): Disposable & { readonly target: Target } {
  const fd = listenTcp(lab.netns, { host: '127.0.0.1', port: 0, backlog: 0 });
  const port = localPort(fd);
  for (let waiting = 0; waiting < 3; waiting++) lab.connect({ host: '127.0.0.1', port }).on('error', () => {});
  return {
    target: { ip: '127.0.0.1', port, address: `127.0.0.1:${port}` },
    [Symbol.dispose]: () => closeSync(fd),
  };
}

function readClosed(lab: TransportLab): number | undefined {
  return lab.transport.counters('node-1')[0]?.counters[COUNTER.closed];
}
