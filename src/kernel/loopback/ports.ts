import { isIPv4 } from 'node:net';

/** How much higher a port stands that may not be opened. */
export const portOffset = 10_000;

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
