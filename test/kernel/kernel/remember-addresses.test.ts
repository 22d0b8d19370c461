import { once } from 'node:events';
import { closeSync } from 'node:fs';
import type { AddressInfo, Server, Socket } from 'node:net';
import { expect, it } from 'vitest';
import { namespaceDnsNetwork } from '../../../src/cluster/compose/namespace-dns-network.ts';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { connectTcp, listenTcp, localPort } from '../../../src/kernel/sockets.ts';
import { remoteAddress, serveTcp } from '../../../src/kubelet/images/serving/listen.ts';
import { leaveNothing } from '../../helpers/leak-check.ts';
import { addLinkLocal, askFromLinkLocal, LINK_LOCAL } from '../../helpers/link-local-client.ts';

leaveNothing();

const { address, link } = LINK_LOCAL;

// A port that nobody has.
function freePort(netns: NetworkNamespace): number {
  const fd = listenTcp(netns, { host: '::', port: 0 });
  using _closed = { [Symbol.dispose]: () => closeSync(fd) };
  return localPort(fd);
}

it('a server of a pod knows link-local addresses, and their link by the name that it has in the pod', async () => {
  await using netns = NetworkNamespace.create('pod-1');
  addLinkLocal(netns);
  const port = freePort(netns);
  using _server = serveTcp(netns, { port }, (socket) =>
    socket.end(`${remoteAddress(socket)} at ${socket.localAddress}`),
  );
  expect(await askFromLinkLocal(netns, port, '?')).toMatch(
    new RegExp(`^\\[${address}%${link}\\]:\\d+ at ${address}%${link}$`),
  );
});

it('a DNS server knows such a client too', async () => {
  await using netns = NetworkNamespace.create('pod-1');
  addLinkLocal(netns);
  const [server] = (await namespaceDnsNetwork(netns).listenTcp('::', 0)) as readonly [Server];
  server.on('connection', (socket) => socket.resume().end(`${socket.remoteAddress}`));
  expect(await askFromLinkLocal(netns, (server.address() as AddressInfo).port, '?')).toBe(`${address}%${link}`);
  server.close();
  await once(server, 'close');
});

it('a connection that comes while its namespace is given up is cut', async () => {
  await using netns = NetworkNamespace.create('pod-1');
  const port = freePort(netns);
  using _server = serveTcp(netns, { port }, (socket) => socket.end('late'));
  const client: Socket = connectTcp(netns, { host: '127.0.0.1', port });
  netns.delete();
  client.resume();
  await once(client, 'close');
  expect(client.bytesRead).toBe(0);
});
