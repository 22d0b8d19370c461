import { readFileSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { hasCapability } from '../sandbox/privileges.ts';

/** How much higher a port stands that may not be opened. */
export const portOffset = 10_000;

/** The first port that this process may listen on: 1024 where nothing else was allowed, 0 in most containers. */
export function firstPort(): number {
  if (hasCapability('NET_BIND_SERVICE')) return 0;
  try {
    return Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'latin1'));
  } catch (error) {
    // Kernels before 4.11 have no such setting.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 1024;
    throw error;
  }
}

/** The port at which an address of the cluster answers for `port`, where ports below `first` may not be opened. */
export function openPort(port: number, first: number): number {
  return port > 0 && port < first ? port + portOffset : port;
}

/** The same for a destination: what is no address of a loopback cluster stands where it stands. */
export function reachedPort({ host, port }: { readonly host: string; readonly port: number }, first: number): number {
  return isLoopbackRange(host) ? openPort(port, first) : port;
}

/** Whether an address is one of 127.0.0.0/8, but not of 127.0.0.0/16, which belongs to the machine. */
export function isLoopbackRange(host: string): boolean {
  return isIPv4(host) && host.startsWith('127.') && !host.startsWith('127.0.');
}
