import { existsSync } from 'node:fs';
import { availableParallelism, networkInterfaces } from 'node:os';
import { SystemCallError } from '../../errors/system-call-error.ts';
import { UserError } from '../../errors/towtank-error.ts';
import type { NetworkNamespace } from '../../kernel/network-namespace.ts';
import { listenTcp } from '../../kernel/sockets.ts';
import type { Family } from '../../netfilter/runner.ts';
import type { UserspaceParts } from '../../proxy/create-backend.ts';
import type { ListenAddress } from '../../proxy/health/http-listener.ts';
import { type Proxy as NodeProxy, type ProxyOptions, startProxy } from '../../proxy/proxy-server.ts';
import type { ServiceFactsFeed } from '../../proxy/service-facts-feed.ts';
import { explainRefusals } from '../compose/explain-refusals.ts';
import { nodeSysctl } from '../compose/node-sysctl.ts';
import { systemClock } from '../compose/system-clock.ts';
import { log } from './host-log.ts';
import type { ProxySettings } from './proxy-settings.ts';

type HostParts = Pick<ProxyOptions, 'client' | 'informers' | 'runners' | 'listen' | 'claim'> & {
  readonly netns: NetworkNamespace;
  readonly services: ServiceFactsFeed;
  readonly userspace: UserspaceParts | undefined;
};

/** Starts the proxy of this host. Rejects when it cannot begin. */
export async function startHostProxy(
  { nodeName, config }: ProxySettings,
  { netns, userspace, ...parts }: HostParts,
): Promise<NodeProxy> {
  const explained = explainRefusals({ log, config, runners: parts.runners });
  const proxy = await startProxy({
    ...parts,
    clock: systemClock,
    nodeName,
    config,
    families: hostFamilies(),
    addresses: () => Object.values(networkInterfaces()).flatMap((each) => each?.map(({ address }) => address) ?? []),
    sysctl: nodeSysctl(netns),
    processors: availableParallelism(),
    ...(userspace && { userspace }),
    log: explained.log,
  });
  void proxy.synced.then(explained.synced);
  return proxy;
}

/** The IP families of this machine. */
export const hostFamilies = (): readonly Family[] => (existsSync('/proc/sys/net/ipv6') ? ['ipv4', 'ipv6'] : ['ipv4']);

/** Opens a listening socket of the proxy itself. Throws UserError ERR_PORT_TAKEN. */
export function listenOnHost(netns: NetworkNamespace, address: ListenAddress): number {
  try {
    return listenTcp(netns, address);
  } catch (cause) {
    if (!(cause instanceof SystemCallError) || cause.errno !== 'EADDRINUSE') throw cause;
    throw new UserError({
      code: 'ERR_PORT_TAKEN',
      message: `port ${address.port} is in use`,
      hint: 'another proxy may run here; healthzBindAddress and metricsBindAddress of --config name other ports',
      cause,
    });
  }
}
