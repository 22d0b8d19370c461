import { closeSync } from 'node:fs';
import { isIPv6, Socket, type SocketConstructorOpts } from 'node:net';
import { AF_INET, AF_INET6, F_DUPFD_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from './ffi/constants.ts';
import { openSocket, systemCall } from './ffi/system-calls.ts';

/** Sockets per family: one connection is in use at a time, the others may still be closing. */
const PER_FAMILY = 4;
const SOCKADDR_LENGTH = 28;

/** A TCP socket of the host that is not connected, under its number in whoever holds it. */
export interface HostSocket {
  readonly fd: number;
  readonly family: 'ipv4' | 'ipv6';
}

/**
 * Makes TCP sockets for a sandbox that has to reach the host's network: a socket stays in the namespace that it was born in,
 * wherever it is connected. The caller hands them over and closes its own.
 */
export function openHostSockets(families: ReadonlySet<HostSocket['family']>): HostSocket[] {
  const sockets: HostSocket[] = [];
  try {
    for (const family of families) {
      for (let i = 0; i < PER_FAMILY; i++) {
        const domain = family === 'ipv6' ? AF_INET6 : AF_INET;
        sockets.push({ fd: openSocket(domain, SOCK_STREAM | SOCK_NONBLOCK, 0), family });
      }
    }
    return sockets;
  } catch (error) {
    for (const { fd } of sockets) closeSync(fd);
    throw error;
  }
}

/** Connects from inside a sandbox into the host's network, with sockets that `openHostSockets` made there. */
export class HostDialer {
  readonly #sockets: readonly HostSocket[];
  readonly #users = new Map<HostSocket, Socket>();
  #next = 0;

  constructor(sockets: readonly HostSocket[]) {
    this.#sockets = sockets;
  }

  /** As `net.connect`, `host` being a literal address. The connection of its family made four calls ago is cut. Throws ERR_SYSCALL. */
  connect(host: string, port: number): Socket {
    const family = isIPv6(host) ? 'ipv6' : 'ipv4';
    const fitting = this.#sockets.filter((socket) => socket.family === family);
    const base = fitting[this.#next++ % fitting.length]!;
    // Two that wait for events of one socket would take each other's.
    this.#users.get(base)?.destroy();
    disconnect(base);
    const fd = systemCall('fcntl', [base.fd, F_DUPFD_CLOEXEC, 0], { subject: 'duplicate' });
    const handover: SocketConstructorOpts & { readonly manualStart: true } = { fd, manualStart: true };
    const socket = new Socket(handover).connect({ host, port }).setNoDelay(true);
    this.#users.set(base, socket);
    // The descriptor kept here would keep the connection: the other side has to see that it is over.
    socket.once('close', () => {
      if (this.#users.get(base) === socket) disconnect(base);
    });
    return socket;
  }
}

// An address of no family takes a socket back to where it came from, so that it can be connected again.
function disconnect({ fd }: HostSocket): void {
  systemCall('connect', [fd, Buffer.alloc(SOCKADDR_LENGTH), SOCKADDR_LENGTH], { subject: 'no address' });
}
