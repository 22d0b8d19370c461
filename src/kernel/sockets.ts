import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { isIPv6, Socket, type SocketConstructorOpts } from 'node:net';
import { SystemCallError } from '../errors/system-call-error.ts';
import {
  AF_INET,
  AF_INET6,
  IP_FREEBIND,
  IP_TRANSPARENT,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_FREEBIND,
  IPV6_TRANSPARENT,
  IPV6_V6ONLY,
  SO_MARK,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
} from './ffi/constants.ts';
import { internetAddress, portOf } from './ffi/socket-address.ts';
import { openSocket, setIntOption, systemCall } from './ffi/system-calls.ts';
import type { NetworkNamespace } from './network-namespace.ts';
import { atPlace, ownAddress, ownPort, portFrom } from './shared-place.ts';

interface LocalAddress {
  /** A literal IPv4 or IPv6 address; `0.0.0.0` and `::` mean all. */
  readonly host: string;
  /** 0 lets the kernel choose; `localPort` tells which. */
  readonly port: number;
}

export interface BindOptions extends LocalAddress {
  /** SO_REUSEPORT: several sockets share the port and the kernel spreads over them. */
  readonly reusePort?: boolean;
  /** IP_TRANSPARENT: addresses that are not this namespace's may be bound and TPROXY may deliver. */
  readonly transparent?: boolean;
  /** IP_FREEBIND: an address that does not exist yet may be bound. */
  readonly freeBind?: boolean;
  /** Default true: `::` does not take IPv4 as well, so that both families can be bound apart. */
  readonly v6Only?: boolean;
  /** SO_MARK of outgoing packets. */
  readonly mark?: number;
}

export interface ListenOptions extends BindOptions {
  /** Connections that wait to be accepted; default 511, as Node's. */
  readonly backlog?: number;
  /** `0.0.0.0` takes IPv6 as well where the namespace has it, as in programs that are written in Go. */
  readonly bothFamilies?: boolean;
}

export interface ConnectOptions extends LocalAddress {
  readonly localAddress?: string;
  readonly localPort?: number;
  readonly mark?: number;
  /** IP_TRANSPARENT: `localAddress` need not be this namespace's. */
  readonly transparent?: boolean;
}

/** What stands for all addresses of a namespace, one for each family that it has. */
export function everyAddress({ place }: NetworkNamespace): readonly string[] {
  const wildcards = ['0.0.0.0', '::'];
  if (place === undefined) return wildcards;
  return wildcards.filter((host) => place.addresses.some((address) => isIPv6(address) === isIPv6(host)));
}

/** Opens a listening TCP socket in `netns`; the descriptor is for `server.listen({ fd })`. Throws ERR_SYSCALL (EADDRINUSE …). */
export function listenTcp(netns: NetworkNamespace, { bothFamilies = false, ...options }: ListenOptions): number {
  if (bothFamilies && options.host === '0.0.0.0' && netns.place === undefined) return listenOnBoth(netns, options);
  const fd = boundSocket(netns, SOCK_STREAM, options);
  return orClose(fd, () => {
    systemCall('listen', [fd, options.backlog ?? 511], { subject: describe(options), netns: netns.name });
    return fd;
  });
}

function listenOnBoth(netns: NetworkNamespace, options: ListenOptions): number {
  try {
    return listenTcp(netns, { ...options, host: '::', v6Only: false });
  } catch (error) {
    if (!lacksIPv6(error)) throw error;
    return listenTcp(netns, options);
  }
}

/** True when a socket could not be opened because the kernel was started with ipv6.disable=1, or the namespace has IPv6 off. */
export function lacksIPv6(error: unknown): boolean {
  return error instanceof SystemCallError && (error.errno === 'EAFNOSUPPORT' || error.errno === 'EADDRNOTAVAIL');
}

/** Opens a bound UDP socket in `netns`; the descriptor is for `dgram.createSocket(type).bind({ fd })`. Throws ERR_SYSCALL. */
export function bindUdp(netns: NetworkNamespace, options: BindOptions): number {
  return boundSocket(netns, SOCK_DGRAM, options);
}

/** Connects from `netns`: the socket behaves as one of `net.connect`, errors of the connection included. Throws ERR_SYSCALL if it cannot be bound. */
export function connectTcp(netns: NetworkNamespace, options: ConnectOptions): Socket {
  const { localPort = 0, mark, transparent = false } = options;
  const { host, localAddress } = { ...options, ...atPlace(netns.place, options) };
  const port = portFrom(netns.place, { host, port: options.port });
  const marked = mark === undefined ? {} : { mark };
  const local = { host: localAddress ?? (isIPv6(host) ? '::' : '0.0.0.0'), port: localPort, transparent, ...marked };
  const fd =
    localAddress === undefined && localPort === 0
      ? freshSocket(netns, SOCK_STREAM, local)
      : boundSocket(netns, SOCK_STREAM, local);
  // Reading must not start before the connection exists: `manualStart` (known to Node, not to its types) sees to it.
  const handover: SocketConstructorOpts & { readonly manualStart: true } = { fd, manualStart: true };
  return new Socket(handover).connect({ host, port });
}

/**
 * Has Node look up both addresses of a connection, and remember them, while it is inside: the zone of a link-local one is the number of
 * a link of `netns`, and Node throws where its own namespace has none of that number.
 */
export function rememberAddresses(netns: NetworkNamespace, socket: Socket): void {
  // What came while the namespace was given up goes with it.
  if (netns.isDeleted) socket.destroy();
  else netns.run(() => [socket.remoteAddress, socket.localAddress]);
}

/** The port at which `host` answers a socket of `netns` for `port`: the same, but where low ports may not be opened. */
export function reachablePort({ place }: NetworkNamespace, destination: LocalAddress): number {
  return portFrom(place, destination);
}

/** Makes a UDP socket of `netns`, bound to `host` and `port` (default: all addresses, any port); resolves when it listens. */
export async function udpSocket(
  netns: NetworkNamespace,
  options: Partial<BindOptions> & { readonly family: 'ipv4' | 'ipv6' },
): Promise<UdpSocket> {
  const { family, ...bind } = options;
  const fd = bindUdp(netns, { host: family === 'ipv6' ? '::' : '0.0.0.0', port: 0, ...bind });
  const socket = createSocket(family === 'ipv6' ? 'udp6' : 'udp4');
  const listening = once(socket, 'listening');
  socket.bind({ fd });
  await listening;
  return socket;
}

/** The port that a socket is bound to. */
export function localPort(fd: number): number {
  const address = Buffer.alloc(28);
  const length = Buffer.from([address.length, 0, 0, 0]);
  systemCall('getsockname', [fd, address, length]);
  return portOf(address);
}

function boundSocket(netns: NetworkNamespace, type: number, wanted: BindOptions): number {
  const { place } = netns;
  const options = { ...wanted, host: ownAddress(place, wanted.host), port: ownPort(place, wanted.port) };
  const fd = freshSocket(netns, type, options);
  return orClose(fd, () => {
    const address = internetAddress(options.host, options.port);
    systemCall('bind', [fd, address, address.length], { subject: describe(options), netns: netns.name });
    return fd;
  });
}

// Only socket(2) must happen inside: a socket stays in the namespace that it was born in.
function freshSocket(netns: NetworkNamespace, type: number, options: BindOptions): number {
  const family = isIPv6(options.host) ? AF_INET6 : AF_INET;
  const fd = netns.run(() => openSocket(family, type | SOCK_NONBLOCK, 0, { netns: netns.name }));
  return orClose(fd, () => {
    setOptions(fd, { ...options, v6: family === AF_INET6, stream: type === SOCK_STREAM });
    return fd;
  });
}

function setOptions(fd: number, options: BindOptions & { readonly v6: boolean; readonly stream: boolean }): void {
  const { v6 } = options;
  if (options.stream) setIntOption(fd, [SOL_SOCKET, SO_REUSEADDR], 1);
  if (options.reusePort) setIntOption(fd, [SOL_SOCKET, SO_REUSEPORT], 1);
  if (options.mark !== undefined) setIntOption(fd, [SOL_SOCKET, SO_MARK], options.mark);
  if (v6) setIntOption(fd, [IPPROTO_IPV6, IPV6_V6ONLY], (options.v6Only ?? true) ? 1 : 0);
  if (options.freeBind) setIntOption(fd, v6 ? [IPPROTO_IPV6, IPV6_FREEBIND] : [IPPROTO_IP, IP_FREEBIND], 1);
  if (options.transparent) setIntOption(fd, v6 ? [IPPROTO_IPV6, IPV6_TRANSPARENT] : [IPPROTO_IP, IP_TRANSPARENT], 1);
}

function orClose<T>(fd: number, step: () => T): T {
  try {
    return step();
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function describe({ host, port }: LocalAddress): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}
