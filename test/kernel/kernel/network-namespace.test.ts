import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { promises, readdirSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import { describe, expect, it } from 'vitest';
import { hasCode } from '../../../src/errors/towtank-error.ts';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { bindUdp, connectTcp, listenTcp, localPort, udpSocket } from '../../../src/kernel/sockets.ts';
import { readSysctl, writeSysctl } from '../../../src/kernel/sysctl.ts';
import { leaveNothing } from '../../helpers/leak-check.ts';

leaveNothing();

const here = () => readlinkSync('/proc/thread-self/ns/net');

function caught(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

describe('a network namespace', () => {
  it('is entered for the length of a call and left also when the call throws', async () => {
    await using netns = NetworkNamespace.create('one');
    const outside = here();
    const inside = netns.run(here);
    expect(inside).not.toBe(outside);
    expect(here()).toBe(outside);
    expect(() =>
      netns.run(() => {
        throw new Error('from inside');
      }),
    ).toThrow('from inside');
    expect(here()).toBe(outside);
  });

  it('is quiet, however many there are already', () => {
    const many = Array.from({ length: 150 }, (_, index) => NetworkNamespace.create(`many-${index}`));
    for (const netns of many) {
      expect(readSysctl(netns, 'net.ipv6.conf.default.accept_dad')).toBe('0');
      expect(readSysctl(netns, 'net.ipv4.icmp_ratelimit')).toBe('0');
    }
    for (const netns of many) netns.delete();
  });

  it('can be entered from another one, to which the thread comes back', async () => {
    await using one = NetworkNamespace.create('one');
    await using two = NetworkNamespace.create('two');
    const outside = here();
    const seen = one.run(() => [here(), two.run(here), here()]);
    expect(seen[0]).toBe(seen[2]);
    expect(new Set([...seen, outside]).size).toBe(3);
  });

  it('can be created while another is entered', async () => {
    await using one = NetworkNamespace.create('one');
    const [before, created, after] = one.run(() => [here(), NetworkNamespace.create('nested'), here()] as const);
    await using nested = created;
    expect(before).toBe(after);
    expect(nested.run(here)).not.toBe(before);
  });

  it('refuses asynchronous code, most of which would run outside of it', async () => {
    await using netns = NetworkNamespace.create('one');
    const error = caught(() => netns.run(async () => here()));
    expect(hasCode(error, 'ERR_INTERNAL')).toBe(true);
    expect(String(error)).toMatch(/one is asynchronous/);
  });

  it('refuses a name that is taken, and one that is a path', async () => {
    await using netns = NetworkNamespace.create('one');
    expect(caught(() => NetworkNamespace.create(netns.name))).toMatchObject({ code: 'ERR_SYSCALL', errno: 'EEXIST' });
    for (const name of ['', '../one', 'a/b', '.hidden', 'a b']) {
      expect(caught(() => NetworkNamespace.create(name))).toMatchObject({ code: 'ERR_USAGE' });
    }
    expect(readdirSync('/run/netns')).toEqual(['one']);
  });

  it('cannot be entered once deleted, and deleting it again is harmless', () => {
    const netns = NetworkNamespace.create('one');
    netns.delete();
    netns.delete();
    expect(caught(() => netns.run(here))).toMatchObject({ code: 'ERR_INTERNAL' });
    expect(readdirSync('/run/netns')).toEqual([]);
  });

  it('has lo up and quiet IPv6', async () => {
    await using netns = NetworkNamespace.create('one');
    expect(readSysctl(netns, 'net.ipv6.conf.default.accept_dad')).toBe('0');
    expect(readSysctl(netns, 'net.ipv6.conf.default.addr_gen_mode')).toBe('1');
    const fd = listenTcp(netns, { host: '::1', port: 0 });
    expect(localPort(fd)).toBeGreaterThan(0);
    await closeServer(fd);
  });

  it('leaves libuv’s thread pool where it was: files read meanwhile are the root namespace’s', async () => {
    await using netns = NetworkNamespace.create('one');
    const pending = netns.run(() => Array.from({ length: 8 }, () => promises.readlink('/proc/thread-self/ns/net')));
    expect(new Set(await Promise.all(pending))).toEqual(new Set([here()]));
  });
});

describe('sysctls', () => {
  it('belong to one namespace', async () => {
    await using one = NetworkNamespace.create('one');
    await using two = NetworkNamespace.create('two');
    writeSysctl(one, 'net.ipv4.ip_forward', 1);
    writeSysctl(two, 'net/ipv4/ip_forward', '0');
    expect([readSysctl(one, 'net.ipv4.ip_forward'), readSysctl(two, 'net.ipv4.ip_forward')]).toEqual(['1', '0']);
  });

  it('that do not exist, or get a value that is none, are told with their path and namespace', async () => {
    await using netns = NetworkNamespace.create('one');
    expect(caught(() => writeSysctl(netns, 'net.ipv4.nothing', 1))).toMatchObject({ errno: 'ENOENT', netns: 'one' });
    expect(caught(() => writeSysctl(netns, 'net.ipv4.ip_forward', 'many'))).toMatchObject({ errno: 'EINVAL' });
  });
});

describe('sockets', () => {
  it('the same address and port can be listened on in every namespace, by one process', async () => {
    await using one = NetworkNamespace.create('one');
    await using two = NetworkNamespace.create('two');
    const servers = [one, two].map((netns) => {
      const server = createServer((_, response) => response.end(netns.name));
      server.listen({ fd: listenTcp(netns, { host: '127.0.0.1', port: 80 }) });
      return server;
    });
    expect([await getOnce(one), await getOnce(two)]).toEqual(['one', 'two']);
    for (const server of servers) server.close();
  });

  it('a refused connection is an error event, as of any socket', async () => {
    await using netns = NetworkNamespace.create('one');
    const [error] = await once(connectTcp(netns, { host: '127.0.0.1', port: 81 }), 'error');
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('a port that is taken and an address that is not there are told with both and the namespace', async () => {
    await using netns = NetworkNamespace.create('one');
    const fd = listenTcp(netns, { host: '127.0.0.1', port: 80 });
    const taken = caught(() => listenTcp(netns, { host: '127.0.0.1', port: 80 }));
    expect(taken).toMatchObject({ code: 'ERR_SYSCALL', errno: 'EADDRINUSE', netns: 'one' });
    expect(String(taken)).toContain('127.0.0.1:80 in one');
    expect(caught(() => listenTcp(netns, { host: '10.0.0.1', port: 80 }))).toMatchObject({ errno: 'EADDRNOTAVAIL' });
    expect(caught(() => listenTcp(netns, { host: 'localhost', port: 80 }))).toMatchObject({
      code: 'ERR_INVALID_ADDRESS',
    });
    await closeServer(fd);
  });

  it('an address that does not exist yet can be bound with freeBind, and shared with reusePort', async () => {
    await using netns = NetworkNamespace.create('one');
    const fds = [1, 2].map(() => listenTcp(netns, { host: '10.0.0.1', port: 80, freeBind: true, reusePort: true }));
    expect(fds).toHaveLength(2);
    for (const fd of fds) await closeServer(fd);
  });

  it('both families can be bound to one port apart', async () => {
    await using netns = NetworkNamespace.create('one');
    const fds = ['0.0.0.0', '::'].map((host) => bindUdp(netns, { host, port: 53 }));
    expect(fds).toHaveLength(2);
    for (const [i, fd] of fds.entries()) {
      const socket = createSocket(i === 0 ? 'udp4' : 'udp6');
      const listening = once(socket, 'listening');
      socket.bind({ fd });
      await listening;
      socket.close();
    }
  });

  it('a connection starts from the address and port asked for', async () => {
    await using netns = NetworkNamespace.create('one');
    const server = createServer((request, response) =>
      response.end(`${request.socket.remoteAddress}:${request.socket.remotePort}`),
    );
    server.listen({ fd: listenTcp(netns, { host: '127.0.0.1', port: 80 }) });
    expect(await getOnce(netns, { localAddress: '127.0.0.9', localPort: 4242 })).toBe('127.0.0.9:4242');
    server.close();
  });

  it('datagrams go there and back', async () => {
    await using netns = NetworkNamespace.create('one');
    const server = await udpSocket(netns, { family: 'ipv6', port: 53 });
    server.on('message', (message, from) => server.send(`echo ${message}`, from.port, from.address));
    const client = await udpSocket(netns, { family: 'ipv6' });
    const answer = once(client, 'message');
    client.send('hello', 53, '::1');
    expect(String((await answer)[0])).toBe('echo hello');
    for (const socket of [client, server]) socket.close();
  });
});

async function closeServer(fd: number): Promise<void> {
  const server = createServer().listen({ fd });
  await once(server, 'listening');
  server.close();
}

async function getOnce(
  netns: NetworkNamespace,
  from: { readonly localAddress?: string; readonly localPort?: number } = {},
): Promise<string> {
  const socket = connectTcp(netns, { host: '127.0.0.1', port: 80, ...from });
  socket.end('GET / HTTP/1.0\r\n\r\n');
  let text = '';
  for await (const chunk of socket) text += chunk;
  return text.slice(text.indexOf('\r\n\r\n') + 4);
}
