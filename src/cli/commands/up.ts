import type { ClusterConfig } from '../../cluster/config/cluster-config.ts';
import { printHints, startCluster, type UpSettings } from './start-cluster.ts';

/** Starts a cluster, shows its progress and what to type next; in the foreground it stays until told to stop. Resolves with the exit code. */
export async function up(config: ClusterConfig, settings: UpSettings): Promise<number> {
  if (settings.foreground) {
    const { upInForeground } = await import('./up-in-foreground.ts');
    return await upInForeground(config, settings);
  }
  const started = await startCluster(config, settings);
  if (!settings.quiet) {
    process.stdout.write(`  kubeconfig written to ${started.paths.kubeconfig}\n\n`);
    const name = config.name === 'towtank' ? '' : ` --name ${config.name}`;
    printHints([
      [`export KUBECONFIG=$(towtank kubeconfig --path${name})`, 'then kubectl speaks to it'],
      [`towtank exec${name} client -- curl ...`, 'a request from outside the cluster'],
      [`towtank down${name}`, 'take it down'],
    ]);
  }
  return 0;
}
