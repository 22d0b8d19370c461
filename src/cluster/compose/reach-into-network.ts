import { once } from 'node:events';
import type { NetworkNamespace } from '../../kernel/network-namespace.ts';
import { connectTcp } from '../../kernel/sockets.ts';
import type { NodeProxy } from '../../kube/node-proxy.ts';

/** How the API server reaches pods and endpoints for the proxy subresources: from the fabric, where it stands. */
export function reachFrom(netns: NetworkNamespace): NodeProxy {
  return {
    connect: async (host, port) => {
      const socket = connectTcp(netns, { host, port });
      await once(socket, 'connect');
      return socket;
    },
  };
}
