import { expect } from 'vitest';
import { nodeSockets } from '../../src/cluster/compose/node-sockets.ts';
import { createConntrackRunner } from '../../src/kernel/runners/conntrack-runner.ts';
import { createIptablesRunner } from '../../src/kernel/runners/iptables-runner.ts';
import { createNftRunner } from '../../src/kernel/runners/nft-runner.ts';
import type { Family } from '../../src/netfilter/runner.ts';
import { createBackend, type ProxyRunners } from '../../src/proxy/create-backend.ts';
import type { NodeNetwork } from '../../src/proxy/facts/node-network.ts';
import type { SelectedPort } from '../../src/proxy/facts/select-endpoints.ts';
import type { ProxyBackend, SyncReport } from '../../src/proxy/proxy-backend.ts';
import type { Transport } from '../../src/proxy/userspace/transport.ts';
import { buildProxyState } from './build-proxy-facts.ts';
import type { PacketLab } from './packet-lab.ts';
import { systemClock } from './system-clock.ts';
import { createTransport, type TransportKind } from './transport-lab.ts';

export interface UserspaceBackendOptions {
  readonly transport: Transport;
  readonly portalRules: 'nftables' | 'iptables' | 'none';
  readonly family: Family;
  /** In place of those of the node. */
  readonly runners?: ProxyRunners;
}

/** The backend of userspace mode for the node of a lab. */
export function createUserspaceBackend(
  { node }: PacketLab,
  { transport, portalRules, family, runners }: UserspaceBackendOptions,
): Promise<ProxyBackend> {
  return createBackend({
    config: { mode: 'userspace', portalRules },
    family,
    runners: {
      nft: createNftRunner(node),
      iptables: createIptablesRunner(node, { backend: 'auto' }),
      conntrack: createConntrackRunner(node),
      ...runners,
    },
    clock: systemClock,
    conntrackTcpBeLiberal: false,
    userspace: { transport, sockets: nodeSockets(node) },
  });
}

/** A node in userspace mode. */
export interface UserspaceNode {
  readonly backend: ProxyBackend;
  /** What the transport could not do. */
  readonly errors: readonly unknown[];
  /** Serves these ServicePorts and no others; expects that all can be. */
  sync(...ports: readonly SelectedPort[]): Promise<SyncReport>;
}

export interface UserspaceNodeOptions extends Pick<UserspaceBackendOptions, 'portalRules' | 'runners'> {
  readonly kind: TransportKind;
  readonly node: NodeNetwork;
}

/** Starts a transport of its own, and the backend, for the node of a lab; the transport ends with `stack`. */
export async function startUserspaceNode(
  stack: AsyncDisposableStack,
  lab: PacketLab,
  { kind, node, ...options }: UserspaceNodeOptions,
): Promise<UserspaceNode> {
  const errors: unknown[] = [];
  const transport = stack.use(createTransport(kind, { onError: (error) => errors.push(error) }));
  const backend = await createUserspaceBackend(lab, { transport, family: node.family, ...options });
  const sync = async (...ports: readonly SelectedPort[]): Promise<SyncReport> => {
    const report = await backend.sync(buildProxyState(ports, node), 'all');
    expect(report.quarantined).toEqual([]);
    return report;
  };
  return { backend, errors, sync };
}
