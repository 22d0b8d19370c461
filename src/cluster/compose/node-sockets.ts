import { closeSync } from 'node:fs';
import { NetlinkError } from '../../errors/netlink-error.ts';
import { TowtankError } from '../../errors/towtank-error.ts';
import { links } from '../../kernel/netlink/links.ts';
import type { LinkOperation } from '../../kernel/netlink/operations.ts';
import type { NetworkNamespace } from '../../kernel/network-namespace.ts';
import { onLinkPrefixes } from '../../kernel/on-link-prefixes.ts';
import { hasCapability } from '../../kernel/sandbox/privileges.ts';
import { sendUnreachable } from '../../kernel/send-unreachable.ts';
import { bindUdp, connectTcp, listenTcp, localPort, rememberAddresses, udpSocket } from '../../kernel/sockets.ts';
import type { Family } from '../../netfilter/runner.ts';
import type { MarkedRoute, NodeSockets } from '../../proxy/userspace/transport.ts';

/** The sockets of a node's network namespace, for its proxy in userspace mode. */
export function nodeSockets(netns: NetworkNamespace): NodeSockets {
  // An ICMP message of one's own needs a capability, without which a datagram to a dead endpoint stays unanswered.
  const mayRefuse = netns.place?.loopback === undefined || hasCapability('NET_RAW');
  return {
    netns: netns.place === undefined ? netns.fd : undefined,
    listenTcp: (options) => listenTcp(netns, options),
    bindUdp: (options) => bindUdp(netns, options),
    localPort,
    // Of 127.0.0.0/8 every address is everybody's already; others are refused before they come here.
    claim: (address) => netns.place?.loopback === undefined && claim(netns, address),
    unclaim: (address) => links.apply(netns, [{ ...localRoute(address), kind: 'deleteRoute' }]),
    rememberAddresses: (socket) => rememberAddresses(netns, socket),
    connectTcp: (address, client) =>
      connectTcp(netns, { ...address, ...(client !== undefined && { localAddress: client, transparent: true }) }),
    deliverMarked: (family, route) => deliverMarked(netns, family, route),
    onLinkPrefixes: (family) => onLinkPrefixes(netns, family),
    forwardMarked: (family, route) => links.apply(netns, markedOperations(family, route, 'delete')),
    udpSocket: (family) => udpSocket(netns, { family }),
    sendUnreachable: ({ client, listener }) => {
      if (mayRefuse) sendUnreachable(netns, { from: client, to: listener });
    },
  };
}

const LOCAL_TABLE = 255;

const localRoute = (address: string) =>
  ({
    destination: `${address}/${address.includes(':') ? 128 : 32}`,
    link: 'lo',
    type: 'local',
    table: LOCAL_TABLE,
  }) as const;

// A route of type local makes an address the namespace's own, without its being on an interface.
function claim(netns: NetworkNamespace, address: string): boolean {
  try {
    links.apply(netns, [{ ...localRoute(address), kind: 'addRoute' }]);
    return true;
  } catch (error) {
    if (error instanceof NetlinkError && error.errno === 'EEXIST') return false;
    throw error;
  }
}

type MarkedKind = 'add' | 'delete';

function markedOperations(family: Family, { mark, table }: MarkedRoute, kind: MarkedKind): readonly LinkOperation[] {
  const destination = family === 'ipv4' ? '0.0.0.0/0' : '::/0';
  return [
    { kind: kind === 'add' ? 'replaceRoute' : 'deleteRoute', destination, link: 'lo', type: 'local', table },
    { kind: `${kind}Rule`, family, priority: table, table, mark, mask: mark },
  ];
}

function deliverMarked(netns: NetworkNamespace, family: Family, route: MarkedRoute): void {
  if (netns.place !== undefined) {
    throw new TowtankError({
      code: 'ERR_MISSING_KERNEL_FEATURE',
      message: 'places of this tier share one network namespace',
      hint: 'the full tier has one for each',
    });
  }
  // Who may not have such a socket is told so before anything is changed.
  closeSync(listenTcp(netns, { host: family === 'ipv4' ? '127.0.0.1' : '::1', port: 0, transparent: true }));
  try {
    links.apply(netns, markedOperations(family, route, 'add'));
  } catch (error) {
    if (!(error instanceof NetlinkError && error.errno === 'EEXIST')) throw error;
  }
}
