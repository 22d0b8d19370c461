import { availableParallelism } from 'node:os';
import type { NetworkNamespace } from '../../kernel/network-namespace.ts';
import { reachablePort } from '../../kernel/sockets.ts';
import type { EngineTransportOptions } from '../../proxy/userspace/engine/engine-transport.ts';
import { DEFAULT_LIMITS, type Transport } from '../../proxy/userspace/transport.ts';
import type { ClusterConfig } from '../config/cluster-config.ts';
import type { ComponentHealth } from './component-health.ts';
import { shiftTargets } from './shift-targets.ts';
import { systemClock } from './system-clock.ts';

const COMPONENT = 'userspace proxy';
const MOST_THREADS = 4;

/**
 * Starts what carries the traffic of all nodes in userspace mode; undefined when there is no such node. `root` is where the
 * control plane stands.
 */
export async function startTransport(
  { nodes, proxy }: Pick<ClusterConfig, 'nodes' | 'proxy'>,
  health: ComponentHealth,
  root: NetworkNamespace,
): Promise<Transport | undefined> {
  if (!nodes.some(({ proxyMode }) => proxyMode === 'userspace')) return undefined;
  health.add(COMPONENT);
  const onError = (error: unknown): void => health.failed(COMPONENT, error, true);
  const limits = { ...DEFAULT_LIMITS, ...proxy.userspace?.limits };
  const transport = await openTransport({ limits, isLocal: true, onError });
  return root.place?.loopback === undefined
    ? transport
    : shiftTargets(transport, (endpoint) => reachablePort(root, endpoint));
}

/** What carries the traffic of userspace mode: the engine, and Node's own sockets with TOWTANK_USERSPACE=plain. */
export async function openTransport(options: Omit<EngineTransportOptions, 'threads'>): Promise<Transport> {
  const { limits, onError } = options;
  if (process.env['TOWTANK_USERSPACE'] === 'plain') {
    const { PlainTransport } = await import('../../proxy/userspace/plain/plain-transport.ts');
    return new PlainTransport({ clock: systemClock, random: Math.random, limits, onError });
  }
  const { EngineTransport } = await import('../../proxy/userspace/engine/engine-transport.ts');
  const threads = Math.min(availableParallelism(), MOST_THREADS);
  return new EngineTransport({ ...options, threads });
}
