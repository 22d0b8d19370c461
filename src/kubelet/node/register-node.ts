import type { KubeClient } from '../../kube/client.ts';
import type { Node } from '../../kube/generated/types.ts';
import { resources } from '../../kube/resources.ts';
import { isReason } from '../../kube/status.ts';
import { buildNode, buildNodeStatus, type NodeFacts } from './build-node.ts';

/** Creates the Node object, or takes over the one that is there: labels are added, the status is replaced. */
export async function registerNode(client: KubeClient, facts: NodeFacts, now: number): Promise<Node> {
  const node = buildNode(facts, now);
  const status = { subresource: 'status' };
  try {
    const created = await client.create(resources.nodes, node);
    // An API server drops the status of a new object unless it comes through the subresource.
    return created.status?.conditions?.some(({ type }) => type === 'Ready')
      ? created
      : await client.update(resources.nodes, { ...created, status: node.status }, status);
  } catch (error) {
    if (!isReason(error, 'AlreadyExists')) throw error;
  }
  const key = { name: facts.name };
  const body = {
    metadata: { labels: node.metadata?.labels },
    spec: missingRanges(await client.get(resources.nodes, key), node),
  };
  const existing = await client.patch(resources.nodes, key, { type: 'merge', body });
  const current = buildNodeStatus(facts, existing.status, now);
  const { resourceVersion: _, ...metadata } = existing.metadata ?? {};
  return client.update(resources.nodes, { ...existing, metadata, status: { ...existing.status, ...current } }, status);
}

// podCIDR is set once and never changes.
function missingRanges({ spec }: Node, wanted: Node): Node['spec'] {
  if (spec?.podCIDR !== undefined || wanted.spec?.podCIDR === undefined) return {};
  const { podCIDR, podCIDRs } = wanted.spec;
  return { podCIDR, podCIDRs };
}
