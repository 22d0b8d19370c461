import { findCluster } from '../../cluster/cluster.ts';
import type { ClusterStatus } from '../../cluster/control/protocol.ts';
import { describeTier } from '../../cluster/tiers.ts';
import { printAs } from '../print/output.ts';
import type { Output } from '../print/output-forms.ts';
import { styled } from '../print/style.ts';
import { printAge, printTable } from '../print/table.ts';

/** Shows one cluster; exit code 1 when a part of it is not healthy. */
export async function status(options: { readonly name: string; readonly output: Output }): Promise<number> {
  const facts = await findCluster(options.name).status();
  process.stdout.write(`${printAs(options.output, facts, () => table(facts))}\n`);
  return facts.components.every((component) => component.healthy) && facts.nodes.every((node) => node.ready) ? 0 : 1;
}

// Where it is not the one that everybody knows.
function portOfDns({ loopback }: ClusterStatus): string {
  return loopback !== undefined && loopback.firstPort > 53 ? `:${53 + loopback.portOffset}` : '';
}

function table(facts: ClusterStatus): string {
  const head = [
    ['Cluster', `${facts.name} (towtank ${facts.version}), up ${printAge(facts.uptimeSeconds)}`],
    ['Tier', describeTier(facts.tier)],
    ...(facts.loopback?.limits ?? []).map((limit) => ['', limit]),
    ['API server', facts.apiServer],
    ['Pods', `${facts.pods.ready}/${facts.pods.total} ready`],
    ['Services', String(facts.services)],
    ['Cluster DNS', facts.clusterDNS.map((address) => `${address}${portOfDns(facts)}`).join(', ')],
    ['Outside client', facts.outsideClient.join(', ')],
    ['Store', `${facts.store.engine}, ${facts.store.objects} objects, revision ${facts.store.revision}`],
    ['Memory', `${Math.round(facts.memoryBytes / 1e6)} MB`],
  ];
  const lines = head.map(([name = '', value = '']) => `${styled('bold', name.padEnd(15))} ${value}`);
  const nodes = facts.nodes.map((node) => [
    node.name,
    node.ready ? 'Ready' : 'NotReady',
    node.proxyMode,
    String(node.pods),
    node.addresses.join(','),
    node.podCIDRs.join(','),
  ]);
  const unhealthy = facts.components.filter((component) => !component.healthy);
  const parts = unhealthy.map(({ name, message }) => `${styled('red', '✗')} ${name}: ${message}`);
  const health =
    parts.length === 0 ? [`${styled('green', '✓')} all ${facts.components.length} parts are healthy`] : parts;
  return [
    ...lines,
    '',
    printTable(['NODE', 'STATUS', 'PROXY', 'PODS', 'ADDRESSES', 'POD-CIDRS'], nodes),
    '',
    ...health,
  ].join('\n');
}
