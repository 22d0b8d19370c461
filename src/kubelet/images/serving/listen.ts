import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Socket } from 'node:net';
import type { NetworkNamespace } from '../../../kernel/network-namespace.ts';
import { bindUdp, lacksIPv6, listenTcp, rememberAddresses } from '../../../kernel/sockets.ts';

/** Where to listen: without a host on every address of both families. */
export interface ListenAddress {
  readonly port: number;
  readonly host?: string | undefined;
}

/** Listens for TCP connections in a namespace until it is disposed, which also cuts open connections. Throws ERR_SYSCALL. */
export function serveTcp(
  netns: NetworkNamespace,
  address: ListenAddress,
  onConnection: (socket: Socket) => void,
): Disposable & { stopAccepting(): void; readonly connections: ReadonlySet<Socket> } {
  const fd = onBothFamilies(address, (host) => listenTcp(netns, { host, port: address.port, v6Only: false }));
  const connections = new Set<Socket>();
  const server = createServer((socket) => {
    rememberAddresses(netns, socket);
    connections.add(socket);
    // A client that resets its connection is its own business.
    socket.on('error', () => {});
    socket.once('close', () => connections.delete(socket));
    onConnection(socket);
  });
  server.listen({ fd });
  const stopAccepting = (): void => void (server.listening && server.close());
  return {
    connections,
    stopAccepting,
    [Symbol.dispose]: () => {
      stopAccepting();
      for (const socket of connections) socket.destroy();
    },
  };
}

/** A datagram that came in, and the way back. */
export interface Datagram {
  readonly data: Buffer;
  readonly from: RemoteInfo;
  reply(data: Buffer | string): void;
}

/** Receives UDP datagrams in a namespace until it is disposed. Throws ERR_SYSCALL. */
export function serveUdp(
  netns: NetworkNamespace,
  address: ListenAddress,
  onDatagram: (datagram: Datagram) => void,
): Disposable {
  let isV6 = true;
  const fd = onBothFamilies(address, (host) => {
    isV6 = host.includes(':');
    return bindUdp(netns, { host, port: address.port, v6Only: false });
  });
  const socket: UdpSocket = createSocket(isV6 ? 'udp6' : 'udp4');
  // ICMP errors of earlier answers show up here; the server goes on.
  socket.on('error', () => {});
  socket.on('message', (data, from) => {
    const reply = (answer: Buffer | string): void => {
      // Nobody is there, though raw packets may say that they come from there.
      if (from.port !== 0) socket.send(answer, from.port, from.address);
    };
    onDatagram({ data, from: { ...from, address: plainAddress(from.address) }, reply });
  });
  socket.bind({ fd });
  return { [Symbol.dispose]: () => void socket.close() };
}

/** An address as programs print it: without the IPv6 mapping of IPv4 clients of a socket that takes both. */
export function plainAddress(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:(?=\d+\.)/, '');
}

/** `10.244.0.2:4711` or `[fd00::2]:4711` of the other end of a connection. */
export function remoteAddress(socket: {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}): string {
  const address = plainAddress(socket.remoteAddress);
  return address.includes(':') ? `[${address}]:${socket.remotePort}` : `${address}:${socket.remotePort}`;
}

function onBothFamilies({ host }: ListenAddress, open: (host: string) => number): number {
  if (host) return open(host);
  try {
    return open('::');
  } catch (error) {
    if (!lacksIPv6(error)) throw error;
    return open('0.0.0.0');
  }
}
