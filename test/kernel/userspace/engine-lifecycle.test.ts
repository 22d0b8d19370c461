import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Socket } from 'node:net';
import koffi from 'koffi';
import { describe, expect, it } from 'vitest';
import { COUNTER } from '../../../src/proxy/userspace/counters.ts';
import { EngineTransport } from '../../../src/proxy/userspace/engine/engine-transport.ts';
import type { Target } from '../../../src/proxy/userspace/listener.ts';
import { leaveNothing } from '../../helpers/leak-check.ts';
import { echo, TransportLab } from '../../helpers/transport-lab.ts';

const PATIENCE = { timeout: 50_000 };

leaveNothing();

async function ask(socket: Socket, text: string): Promise<string> {
  const answered = once(socket, 'data');
  socket.write(text);
  return String((await answered)[0]);
}

/** Serves a client, whose connection may break from then on. */
async function serveOne(lab: TransportLab) {
  const portal = lab.listen([await lab.serve(echo)]);
  const socket = lab.connect(portal);
  socket.on('error', () => {});
  expect(await ask(socket, 'a')).toBe('a');
  return { portal, socket };
}

function engineOf(lab: TransportLab): EngineTransport {
  if (!(lab.transport instanceof EngineTransport)) throw new Error('not the engine');
  return lab.transport;
}

const openDescriptors = (): number => readdirSync('/proc/self/fd').length;

const RLIMIT_NOFILE = 7;
const DESCRIPTORS = 20_000n;
const libc = koffi.load(null);
const getrlimit = libc.func('int getrlimit(int resource, void *limits)');
const setrlimit = libc.func('int setrlimit(int resource, const void *limits)');

// By a call of its own: a program could not be started any more.
function limitDescriptors(limit: bigint): void {
  const limits = new BigUint64Array(2);
  expect(getrlimit(RLIMIT_NOFILE, limits)).toBe(0);
  limits[0] = limit;
  expect(setrlimit(RLIMIT_NOFILE, limits)).toBe(0);
}

const eventLoops = (): readonly string[] =>
  readdirSync('/proc/self/fd').filter((fd) => linkOf(fd) === 'anon_inode:[eventpoll]');

// Puts a file in the place of each epoll instance that watches sockets: waiting on it fails from then on.
function breakEventLoops(except: ReadonlySet<string>): void {
  const dup2 = libc.func('int dup2(int from, int to)');
  const file = openSync('/dev/null', 'r');
  for (const fd of eventLoops()) {
    if (except.has(fd)) continue;
    const watched = [...readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8').matchAll(/tfd:\s+(\d+)/g)];
    if (watched.some(([, watchedFd = '']) => linkOf(watchedFd).startsWith('socket:'))) dup2(file, Number(fd));
  }
  closeSync(file);
}

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}

const ECHO = `require('net').createServer((s) => s.on('error', () => {}).pipe(s))
  .listen(0, '127.0.0.1', function () { console.log(this.address().port); });`;

// An echo server in a process of its own, whose descriptors are not ours.
async function serveElsewhere(lab: TransportLab): Promise<Disposable & { readonly target: Target }> {
  const server = lab.netns.run(() => spawn(process.execPath, ['-e', ECHO], { stdio: ['ignore', 'pipe', 'inherit'] }));
  const port = Number(String((await once(server.stdout, 'data'))[0]));
  return {
    target: { ip: '127.0.0.1', port, address: `127.0.0.1:${port}` },
    [Symbol.dispose]: () => void server.kill('SIGKILL'),
  };
}

describe('the engine', () => {
  it('keeps established connections over a reload, and new ones come to the new threads', async () => {
    await using lab = new TransportLab('engine');
    const portal = lab.listen([await lab.serve(echo)]);
    const before = lab.connect(portal);
    expect(await ask(before, 'a')).toBe('a');
    engineOf(lab).reload();
    const after = lab.connect(portal);
    expect(await ask(after, 'b')).toBe('b');
    expect(await ask(before, 'c')).toBe('c');
    expect(await lab.transport.connections()).toHaveLength(2);
  });

  it('refuses no connection while it reloads', async () => {
    await using lab = new TransportLab('engine');
    const portal = lab.listen([await lab.serve(echo)]);
    for (let round = 0; round < 5; round++) {
      const asked = Array.from({ length: 20 }, () => ask(lab.connect(portal), 'x'));
      engineOf(lab).reload();
      expect(await Promise.all(asked)).toEqual(asked.map(() => 'x'));
    }
    expect(lab.errors).toEqual([]);
  });

  it('refuses no connection while session affinity is switched on and off', async () => {
    await using lab = new TransportLab('engine');
    const { id, policy, ...portal } = lab.listen([await lab.serve(echo)]);
    for (let round = 0; round < 20; round++) {
      const asked = Array.from({ length: 40 }, () => ask(lab.connect(portal), 'x'));
      lab.transport.update(id, { ...policy, affinitySeconds: round % 2 === 0 ? 60 : 0 });
      asked.push(...Array.from({ length: 40 }, () => ask(lab.connect(portal), 'x')));
      expect(await Promise.all(asked)).toEqual(asked.map(() => 'x'));
    }
    expect(lab.errors).toEqual([]);
  });

  it.each(['tcp', 'udp'] as const)('that goes on without a pause serves %s as before', async (protocol) => {
    await using lab = new TransportLab('engine', { threads: 1 });
    const isTcp = protocol === 'tcp';
    const target = await (isTcp ? lab.serve(echo) : lab.serveUdp((message) => message));
    const portal = lab.listen([target], { protocol });
    engineOf(lab).resume();
    if (isTcp) expect(await ask(lab.connect(portal), 'a')).toBe('a');
    else {
      const client = await lab.udp(portal);
      client.send('a');
      expect(String((await once(client, 'message'))[0])).toBe('a');
    }
    expect(lab.errors).toEqual([]);
  });

  it('goes on with a new thread when one dies, and closes what that left open', async () => {
    const ours = new Set(eventLoops());
    await using lab = new TransportLab('engine', { threads: 1 });
    const { portal, socket } = await serveOne(lab);
    const ended = once(socket, 'end');
    breakEventLoops(ours);
    lab.connect(portal).on('error', () => {});
    await ended;
    expect(await ask(lab.connect(portal), 'b')).toBe('b');
    expect(lab.errors.length).toBeGreaterThan(0);
  });

  it('tries again now and then while no new thread can be started, and then serves', async () => {
    const ours = new Set(eventLoops());
    await using lab = new TransportLab('engine', { threads: 1 });
    const { portal, socket } = await serveOne(lab);
    breakEventLoops(ours);
    const startedAt = performance.now();
    // Nobody gets a number as small.
    limitDescriptors(10n);
    try {
      socket.write('b');
      await expect.poll(() => lab.errors.length, PATIENCE).toBeGreaterThan(4);
    } finally {
      limitDescriptors(DESCRIPTORS);
    }
    expect(performance.now() - startedAt).toBeGreaterThan(2000);
    expect(await ask(lab.connect(portal), 'c')).toBe('c');
  });

  it('closes the sockets of a listener that ends while no thread serves it', async () => {
    const ours = new Set(eventLoops());
    await using lab = new TransportLab('engine', { threads: 1 });
    const { portal, socket } = await serveOne(lab);
    breakEventLoops(ours);
    limitDescriptors(10n);
    try {
      socket.write('b');
      await expect.poll(() => lab.errors.length, PATIENCE).toBeGreaterThan(1);
      lab.transport.close(portal.id);
    } finally {
      limitDescriptors(DESCRIPTORS);
    }
    const refused = once(lab.connect(portal), 'error');
    expect(await refused).toMatchObject([{ code: 'ECONNREFUSED' }]);
  });

  it('lets clients wait while there is no descriptor, and goes on as soon as there is one', async () => {
    await using lab = new TransportLab('engine', { threads: 1 });
    using server = await serveElsewhere(lab);
    const portal = lab.listen([server.target]);
    expect(await ask(lab.connect(portal), 'first')).toBe('first');
    const clients = Array.from({ length: 20 }, () => lab.connect(portal));
    await Promise.all(clients.map((client) => ask(client, 'before')));
    const places = Array.from({ length: 10 }, () => openSync('/dev/null', 'r'));
    const exhausted = (): number => lab.transport.counters('node-1')[0]!.counters[COUNTER.exhausted]!;
    expect(exhausted()).toBe(0);
    limitDescriptors(BigInt(openDescriptors()));
    try {
      for (const place of places) closeSync(place);
      // Their sockets take all that was free; they connect when all of them exist.
      const answers = places.map(() => ask(lab.connect(portal), 'waited'));
      await expect.poll(exhausted, PATIENCE).toBeGreaterThan(0);
      for (const client of clients) client.destroy();
      expect(await Promise.all(answers)).toEqual(answers.map(() => 'waited'));
    } finally {
      limitDescriptors(DESCRIPTORS);
    }
    expect(lab.errors).toEqual([]);
  });
});
