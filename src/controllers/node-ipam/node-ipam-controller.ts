import { type NodeCIDRRange, parseNodeCIDRRange, pickNodeCIDR } from '../../ipam/node-cidrs.ts';
import type { Node } from '../../kube/generated/types.ts';
import { keyOf, resources } from '../../kube/resources.ts';
import type { ControllerContext } from '../loop/controller-context.ts';
import { ControllerLoop } from '../loop/controller-loop.ts';

/** Gives nodes that come without podCIDRs a share of the pod ranges. Throws UserError for ranges that cannot be used. */
export function startNodeIPAMController(context: ControllerContext, podCIDRs: readonly string[]): Disposable {
  const ranges = podCIDRs.map((text) => parseNodeCIDRRange(text));
  const nodes = context.informers.for(resources.nodes);
  const loop: ControllerLoop = new ControllerLoop(context, {
    name: 'node-ipam',
    component: 'cidrAllocator',
    // One at a time: two nodes must not be given the same share.
    concurrency: 1,
    reconcile: async (key) => {
      const node = nodes.get(key);
      if (node === undefined || node.metadata?.deletionTimestamp !== undefined || sharesOf(node).length > 0) return;
      const shares = pickShares(ranges, nodes.list());
      if (shares === undefined) {
        const details = {
          type: 'Normal',
          reason: 'CIDRNotAvailable',
          message: `Node ${key} status is now: CIDRNotAvailable`,
        } as const;
        return loop.recorder.record(resources.nodes, node, details);
      }
      const body = { spec: { podCIDR: shares[0], podCIDRs: shares } };
      const written = await context.client.patch(resources.nodes, { name: key }, { type: 'merge', body });
      for (const other of nodes.list()) loop.fence.expectWritten(keyOf(other), nodes, written);
    },
  });
  nodes.onChange(({ key, current }) => {
    if (current !== undefined) return loop.enqueue(key);
    // A share has become free: perhaps somebody waits for it.
    for (const node of nodes.list()) if (sharesOf(node).length === 0) loop.enqueue(keyOf(node));
  });
  return loop;
}

function pickShares(ranges: readonly NodeCIDRRange[], nodes: readonly Node[]): readonly string[] | undefined {
  const taken = new Set(nodes.flatMap(sharesOf));
  const shares = ranges.map((range) => pickNodeCIDR(range, (share) => !taken.has(share)));
  return shares.every((share) => share !== undefined) && shares.length > 0 ? shares : undefined;
}

function sharesOf({ spec }: Node): readonly string[] {
  return spec?.podCIDRs ?? (spec?.podCIDR ? [spec.podCIDR] : []);
}
