import { NetlinkError } from '../../errors/netlink-error.ts';
import { links } from '../../kernel/netlink/links.ts';
import type { NetworkNamespace } from '../../kernel/network-namespace.ts';
import { hasCapability } from '../../kernel/sandbox/privileges.ts';
import { sendUnreachable } from '../../kernel/send-unreachable.ts';
import { bindUdp, connectTcp, listenTcp, localPort, udpSocket } from '../../kernel/sockets.ts';
import type { NodeSockets } from '../../proxy/userspace/transport.ts';

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
    connectTcp: (address) => connectTcp(netns, address),
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
