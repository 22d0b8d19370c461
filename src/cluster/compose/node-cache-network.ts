import { isIPv6 } from 'node:net';
import { links } from '../../kernel/netlink/links.ts';
import type { NetworkNamespace } from '../../kernel/network-namespace.ts';
import { createNftRunner } from '../../kernel/runners/nft-runner.ts';

export interface NodeCacheNetwork {
  /** Name of the interface that holds the addresses, and nothing else. */
  readonly link: string;
  readonly addresses: readonly string[];
}

const TABLE = 'nodelocaldns';

/**
 * Gives a node the addresses of its DNS cache, and takes what goes to and from them out of connection tracking: a query then
 * leaves no entry behind, and kube-proxy's DNAT does not see it even where the address is that of a Service. Disposing it
 * takes both away.
 */
export async function openNodeCacheNetwork(
  netns: NetworkNamespace,
  { link, addresses }: NodeCacheNetwork,
): Promise<AsyncDisposable> {
  const nft = createNftRunner(netns);
  const bits = (address: string): number => (isIPv6(address) ? 128 : 32);
  // A bridge without ports: like a dummy interface it carries nothing, and every kernel here has it. A predecessor that was
  // killed has left its own.
  links.apply(netns, [
    { kind: 'deleteLink', link },
    { kind: 'addBridge', name: link, up: true },
    ...addresses.map((address) => ({
      ...{ kind: 'addAddress' as const, link, address: `${address}/${bits(address)}`, scope: 'host' as const },
    })),
  ]);
  await nft.run(printRules(addresses));
  return {
    async [Symbol.asyncDispose]() {
      await nft.run(`add table inet ${TABLE}\ndelete table inet ${TABLE}\n`);
      links.apply(netns, [{ kind: 'deleteLink', link }]);
    },
  };
}

function printRules(addresses: readonly string[]): string {
  const rules = (end: 'saddr' | 'daddr', port: 'sport' | 'dport'): string =>
    addresses
      .map((address) => {
        const field = isIPv6(address) ? 'ip6' : 'ip';
        return `    ${field} ${end} ${address} meta l4proto { tcp, udp } th ${port} 53 notrack\n`;
      })
      .join('');
  return `add table inet ${TABLE}
delete table inet ${TABLE}
table inet ${TABLE} {
  chain prerouting {
    type filter hook prerouting priority raw; policy accept;
${rules('daddr', 'dport')}  }
  chain output {
    type filter hook output priority raw; policy accept;
${rules('saddr', 'sport')}${rules('daddr', 'dport')}  }
}
`;
}
