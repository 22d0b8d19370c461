import { isIPv4, isIPv6 } from 'node:net';
import { SystemCallError } from '../errors/system-call-error.ts';
import { EADDRNOTAVAIL } from './ffi/constants.ts';
import { isLoopbackRange, openPort, reachedPort } from './loopback/ports.ts';
import type { SharedPlace } from './network-namespace.ts';

/**
 * The address that a socket of this place binds when `host` is asked for: its own instead of all, and a loopback address that
 * no other place uses instead of the one that all share. Throws ERR_SYSCALL (EADDRNOTAVAIL) when the place lacks the family.
 */
export function ownAddress(place: SharedPlace | undefined, host: string): string {
  if (place === undefined) return host;
  if (host === '0.0.0.0' || host === '::') return addressLike(place, host);
  if (host === '127.0.0.1') return loopbackOf(place);
  return host;
}

/** Where a connection of this place goes to and comes from: its own loopback stands for the address that it listens on. */
export function atPlace(
  place: SharedPlace | undefined,
  { host, localAddress }: { readonly host: string; readonly localAddress?: string },
): { readonly host: string; readonly localAddress?: string } {
  if (place === undefined) return { host };
  const isLoopback = host === '127.0.0.1' || host === '::1';
  // What leaves the machine cannot come from an address of 127.0.0.0/8.
  if (place.loopback !== undefined && !isLoopback && !isLoopbackRange(host))
    return localAddress === undefined ? { host } : { host, localAddress };
  return {
    host: isLoopback ? addressLike(place, host) : host,
    localAddress: localAddress ?? addressLike(place, host),
  };
}

/** The port that a socket of this place binds when `port` is asked for. */
export function ownPort(place: SharedPlace | undefined, port: number): number {
  return openPort(port, place?.loopback?.firstPort ?? 0);
}

/** The port at which a destination answers those of this place. */
export function portFrom(
  place: SharedPlace | undefined,
  destination: { readonly host: string; readonly port: number },
): number {
  return reachedPort(destination, place?.loopback?.firstPort ?? 0);
}

function addressLike({ addresses }: SharedPlace, host: string): string {
  const found = addresses.find((address) => isIPv6(address) === isIPv6(host));
  if (found !== undefined) return found;
  throw new SystemCallError({ syscall: 'bind', errno: EADDRNOTAVAIL, subject: host });
}

// All of 127.0.0.0/8 is loopback: 10.244.1.5 gets 127.244.1.5, and 127.64.1.5 gets 127.192.1.5.
function loopbackOf({ addresses, loopback }: SharedPlace): string {
  const v4 = addresses.find(isIPv4);
  if (v4 === undefined) return '127.0.0.1';
  const [, block = '0', ...rest] = v4.split('.');
  return ['127', loopback === undefined ? block : Number(block) ^ 128, ...rest].join('.');
}
