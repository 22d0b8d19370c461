import { Cluster } from '../../cluster/cluster.ts';
import type { ClusterConfig } from '../../cluster/config/cluster-config.ts';
import { isKept } from '../../cluster/kept-cluster.ts';
import { launchCluster } from '../../cluster/launch-cluster.ts';
import type { Tier } from '../../cluster/tiers.ts';
import { StepLine } from '../print/step-line.ts';
import { styled } from '../print/style.ts';

export interface UpSettings {
  readonly manifests: readonly string[];
  readonly quiet: boolean;
  readonly fresh: boolean;
  readonly tier?: Tier | undefined;
  readonly foreground: boolean;
  readonly joinHost: boolean;
}

/** Starts a cluster, shows its progress and what to type next. */
export async function up(config: ClusterConfig, { manifests, quiet, fresh, tier }: UpSettings): Promise<void> {
  const startedAt = Math.round(performance.timeOrigin);
  const progress = new StepLine(process.stderr, quiet);
  const again = !fresh && isKept(config.name) ? ' again' : '';
  try {
    const launched = await launchCluster({
      config,
      manifests,
      startedAt,
      fresh,
      tier,
      onStep: (name, ms) => progress.step(name, ms),
    });
    const cluster = new Cluster(launched);
    progress.done();
    if (quiet) return;
    const seconds = ((Date.now() - startedAt) / 1000).toFixed(2);
    process.stdout.write(
      `${styled('green', '✓')} cluster ${styled('bold', cluster.name)} is up${again}: ${config.nodes.length} nodes in ${seconds} s\n\n`,
    );
    process.stdout.write(`  kubeconfig written to ${cluster.kubeconfig}\n\n`);
    const name = config.name === 'towtank' ? '' : ` --name ${config.name}`;
    const hints = [
      [`export KUBECONFIG=$(towtank kubeconfig --path${name})`, 'then kubectl speaks to it'],
      [`towtank exec${name} client -- curl ...`, 'a request from outside the cluster'],
      [`towtank down${name}`, 'take it down'],
    ] as const;
    for (const [command, what] of hints) process.stdout.write(`  ${command.padEnd(52)} ${styled('dim', what)}\n`);
  } finally {
    progress.done();
  }
}
