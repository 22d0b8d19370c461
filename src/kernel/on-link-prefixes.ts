import { readFileSync } from 'node:fs';
import type { NetworkNamespace } from './network-namespace.ts';

const GATEWAY = 2;

/**
 * The prefixes of one family whose hosts `netns` reaches, and which reach each other, without a router: those of bridges and other
 * shared links. Routes to single hosts are none.
 */
export function onLinkPrefixes(netns: NetworkNamespace, family: 'ipv4' | 'ipv6'): readonly string[] {
  const file = family === 'ipv4' ? 'route' : 'ipv6_route';
  const lines = netns.run(() => readFileSync(`/proc/thread-self/net/${file}`, 'utf8')).split('\n');
  return lines.flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    return (family === 'ipv4' ? ipv4Prefix(fields) : ipv6Prefix(fields)) ?? [];
  });
}

// Iface Destination Gateway Flags RefCnt Use Metric Mask …; addresses are numbers of this little-endian processor.
function ipv4Prefix([, destination = '', , flags = '', , , , mask = '']: readonly string[]): string | undefined {
  const length = bitsOf(Number.parseInt(mask, 16));
  if (!/^[0-9A-F]{8}$/.test(destination) || length === 0 || length === 32) return undefined;
  if ((Number.parseInt(flags, 16) & GATEWAY) !== 0) return undefined;
  return `${Buffer.from(destination, 'hex').reverse().join('.')}/${length}`;
}

// destination length source length nexthop metric references use flags interface
function ipv6Prefix(fields: readonly string[]): string | undefined {
  const [destination = '', hex = '', , , nextHop = ''] = fields;
  const length = Number.parseInt(hex, 16);
  if (!/^0{32}$/.test(nextHop) || !(length > 0 && length < 128)) return undefined;
  return `${destination.replace(/(.{4})(?=.)/g, '$1:')}/${length}`;
}

function bitsOf(mask: number): number {
  return mask.toString(2).replaceAll('0', '').length;
}
