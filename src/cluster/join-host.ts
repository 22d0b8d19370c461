import { UserError } from '../errors/towtank-error.ts';
import { linkToSandbox, plugName } from '../kernel/host-link.ts';
import { isMachineNetwork } from '../kernel/machine-network.ts';
import { pointResolver, restoreResolver } from '../kernel/resolver-file.ts';
import { Cluster } from './cluster.ts';
import { resolverOf } from './compose/cluster-resolver.ts';
import { buildAddressPlan } from './config/address-plan.ts';
import type { LaunchedCluster } from './launch-cluster.ts';
import { publishServices } from './publish-services.ts';

/** Throws ERR_TIER where the network of this process is the whole machine's, which nothing may be added to. */
export function requireOwnNetwork(): void {
  if (!isMachineNetwork()) return;
  throw new UserError({
    code: 'ERR_TIER',
    message: "--join-host adds routes and a resolver, and this network is the machine's own",
    hint: 'use it in a container that has a network of its own; elsewhere: towtank exec client, towtank shell node-1',
  });
}

/**
 * Puts the programs of this container into the cluster's world: routes to Services and pods, its names, and its Services on the
 * container's own addresses. Disposing undoes it.
 */
export async function joinHost(launched: LaunchedCluster, log: (text: string) => void): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const { config, record, paths } = launched;
  const plan = buildAddressPlan(config);
  if (record.tier === 'full') {
    const [first] = plan.nodes;
    const behind = (ranges: readonly string[], gateways: readonly string[]) =>
      ranges.map((destination, family) => ({ destination, gateway: gateways[family] ?? '' }));
    await linkToSandbox({
      innerPid: record.innerPid,
      addresses: plan.host,
      routes: [
        ...behind(plan.serviceCIDRs, first?.addresses ?? []),
        ...plan.nodes.flatMap(({ podCIDRs, addresses }) => behind(podCIDRs, addresses)),
      ],
    });
    await new Cluster(launched).plugIn(plugName);
    pointResolver(resolverOf({ config }, plan));
    stack.defer(() => restoreResolver());
  }
  stack.use(await publishServices({ kubeconfig: paths.kubeconfig, plan, tier: record.tier, log }));
  return stack.move();
}
