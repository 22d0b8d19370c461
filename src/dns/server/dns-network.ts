import { createSocket, type SocketType, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect as connectTcp, createServer, type Server, type Socket } from 'node:net';

/** Where a DNS server's sockets come from: this machine, or the namespace of a pod. */
export interface DnsNetwork {
  /** Bound sockets for `address`; '' stands for every address, which may take one socket per family. */
  bindUdp(address: string, port: number): Promise<readonly UdpSocket[]>;
  /** Listening servers for `address`, '' as above. */
  listenTcp(address: string, port: number): Promise<readonly Server[]>;
  /** A socket to ask others from. */
  openUdp(family: 4 | 6): Promise<UdpSocket>;
  connectTcp(address: string, port: number): Socket;
  /** The port at which a server answers datagrams for `port`, where that is another one. */
  portOf?(address: string, port: number): number;
}

const RECEIVE_BUFFER = 4 << 20;

/** The network of this process; port 0 takes a free one, the same for all sockets of one call. */
export function hostNetwork(): DnsNetwork {
  return {
    bindUdp: (address, port) => bindUdpHere(address, port),
    listenTcp: (address, port) => listenTcpHere(address, port),
    openUdp: async (family) => openUdpSocket(family),
    connectTcp: (address, port) => connectTcp({ host: address, port }),
  };
}

/** A UDP socket that sends to IP literals without asking a resolver first, and takes bursts. */
export function openUdpSocket(family: 4 | 6): UdpSocket {
  const type: SocketType = family === 6 ? 'udp6' : 'udp4';
  return createSocket({
    type,
    ipv6Only: family === 6,
    lookup: (host, _options, callback) => callback(null, host, family),
  });
}

/** A server socket from a descriptor that is bound already. */
export async function adoptUdpSocket(fd: number, family: 4 | 6): Promise<UdpSocket> {
  const socket = openUdpSocket(family);
  const listening = once(socket, 'listening');
  socket.bind({ fd, exclusive: true });
  await listening;
  growReceiveBuffer(socket);
  return socket;
}

/** A TCP server from a descriptor that listens already. */
export async function adoptTcpServer(fd: number): Promise<Server> {
  const server = createServer({ noDelay: true, allowHalfOpen: true });
  server.listen({ fd, exclusive: true });
  await once(server, 'listening');
  return server;
}

async function bindUdpHere(address: string, port: number): Promise<readonly UdpSocket[]> {
  const sockets: UdpSocket[] = [];
  let chosen = port;
  for (const host of hostsOf(address)) {
    const socket = openUdpSocket(host.includes(':') ? 6 : 4);
    // The lookup is synchronous, and so is the event.
    const listening = once(socket, 'listening');
    socket.bind({ port: chosen, address: host, exclusive: true });
    if (!(await begins(listening, address === '' && host === '::'))) continue;
    chosen = socket.address().port;
    growReceiveBuffer(socket);
    sockets.push(socket);
  }
  return sockets;
}

async function listenTcpHere(address: string, port: number): Promise<readonly Server[]> {
  const servers: Server[] = [];
  let chosen = port;
  for (const host of hostsOf(address)) {
    const server = createServer({ noDelay: true, allowHalfOpen: true });
    server.listen({ port: chosen, host, ipv6Only: true, exclusive: true });
    if (!(await begins(once(server, 'listening'), address === '' && host === '::'))) continue;
    chosen = (server.address() as { port: number }).port;
    servers.push(server);
  }
  return servers;
}

function hostsOf(address: string): readonly string[] {
  return address === '' ? ['0.0.0.0', '::'] : [address];
}

// A machine without IPv6 is served over IPv4 alone.
async function begins(listening: Promise<unknown>, optional: boolean): Promise<boolean> {
  try {
    await listening;
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (optional && (code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL')) return false;
    throw error;
  }
}

function growReceiveBuffer(socket: UdpSocket): void {
  socket.setRecvBufferSize(RECEIVE_BUFFER);
}
