import type { NetworkNamespace } from '../../kernel/network-namespace.ts';
import { sendUnreachable } from '../../kernel/send-unreachable.ts';
import { bindUdp, connectTcp, listenTcp, localPort, udpSocket } from '../../kernel/sockets.ts';
import type { NodeSockets } from '../../proxy/userspace/transport.ts';

/** The sockets of a node's network namespace, for its proxy in userspace mode. */
export function nodeSockets(netns: NetworkNamespace): NodeSockets {
  return {
    netns: netns.fd,
    listenTcp: (options) => listenTcp(netns, options),
    bindUdp: (options) => bindUdp(netns, options),
    localPort,
    connectTcp: (address) => connectTcp(netns, address),
    udpSocket: (family) => udpSocket(netns, { family }),
    sendUnreachable: ({ client, listener }) => sendUnreachable(netns, { from: client, to: listener }),
  };
}
