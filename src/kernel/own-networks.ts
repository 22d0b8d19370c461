import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { flatLink } from './topology/flat-operations.ts';

/** The networks that this machine is in, as prefixes, and its nameservers, which programs must still reach. */
export function ownNetworks(resolverFile = '/etc/resolv.conf'): readonly string[] {
  const links = Object.entries(networkInterfaces()).filter(([name]) => name !== flatLink && !/^lo(:|$)/.test(name));
  const prefixes = links.flatMap(([, addresses = []]) => addresses.flatMap(({ cidr }) => cidr ?? []));
  const servers = readFileSync(resolverFile, 'utf8').matchAll(/^nameserver\s+(\S+)/gm);
  const hosts = [...servers].flatMap(([, address = '']) => {
    if (isIP(address) === 0 || address.startsWith('127.')) return [];
    return `${address}/${isIP(address) === 6 ? 128 : 32}`;
  });
  return [...prefixes, ...hosts];
}

/** The addresses at which others reach this machine. */
export function ownAddresses(): readonly string[] {
  const links = Object.entries(networkInterfaces()).filter(([name]) => name !== flatLink);
  return links
    .flatMap(([, addresses = []]) => addresses.filter(({ internal, scopeid }) => !internal && !scopeid))
    .map(({ address }) => address);
}
