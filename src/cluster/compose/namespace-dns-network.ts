import { isIPv6 } from 'node:net';
import { adoptTcpServer, adoptUdpSocket, type DnsNetwork } from '../../dns/server/dns-network.ts';
import type { NetworkNamespace } from '../../kernel/network-namespace.ts';
import {
  bindUdp,
  connectTcp,
  everyAddress,
  listenTcp,
  reachablePort,
  rememberAddresses,
} from '../../kernel/sockets.ts';

/** The network of a pod or node for a DNS server or client in this process. */
export function namespaceDnsNetwork(netns: NetworkNamespace): DnsNetwork {
  const hosts = (address: string): readonly string[] => (address === '' ? everyAddress(netns) : [address]);
  const family = (host: string): 4 | 6 => (isIPv6(host) ? 6 : 4);
  return {
    bindUdp: (address, port) =>
      Promise.all(hosts(address).map((host) => adoptUdpSocket(bindUdp(netns, { host, port }), family(host)))),
    listenTcp: (address, port) =>
      Promise.all(
        hosts(address).map(async (host) => {
          const server = await adoptTcpServer(listenTcp(netns, { host, port }));
          return server.on('connection', (socket) => rememberAddresses(netns, socket));
        }),
      ),
    openUdp: (ipFamily) =>
      adoptUdpSocket(bindUdp(netns, { host: ipFamily === 6 ? '::' : '0.0.0.0', port: 0 }), ipFamily),
    connectTcp: (address, port) => connectTcp(netns, { host: address, port }),
    portOf: (host, port) => reachablePort(netns, { host, port }),
  };
}
