import { hostname } from 'node:os';
import { Cluster } from '../../cluster/cluster.ts';
import type { ClusterConfig } from '../../cluster/config/cluster-config.ts';
import type { LaunchedCluster } from '../../cluster/launch-cluster.ts';
import { chooseTier, describeTier, loopbackLimits, type Tier } from '../../cluster/tiers.ts';
import { towtankVersion } from '../../cluster/version.ts';
import { styled } from '../print/style.ts';
import { printHints, startCluster, type UpSettings } from './start-cluster.ts';

/** Runs a cluster until a signal or its own end; resolves with 0 after SIGTERM or SIGINT, 1 when the cluster ended by itself. */
export async function upInForeground(config: ClusterConfig, settings: UpSettings): Promise<number> {
  const told = untilTold();
  // A start that was told to stop ends at once: its supervisor ends with this process.
  let isStarting = true;
  void told.then(() => isStarting && process.exit(0));
  const tier = settings.tier ?? (await chooseTier());
  if (!settings.quiet)
    process.stdout.write(
      [`${styled('bold', `towtank ${towtankVersion()}`)}, tier ${describeTier(tier)}`, ...limitsOf(tier), ''].join(
        '\n',
      ),
    );
  if (settings.joinHost) (await import('../../cluster/join-host.ts')).requireOwnNetwork();
  const launched = await startCluster(config, { ...settings, tier });
  isStarting = false;
  await using stack = new AsyncDisposableStack();
  stack.use(new Cluster(launched));
  if (settings.joinHost) {
    const { joinHost } = await import('../../cluster/join-host.ts');
    stack.use(await joinHost(launched, (text) => process.stderr.write(`${text}\n`)));
  }
  if (!settings.quiet) printNext(launched, settings);
  const end = await Promise.race([told, launched.ended.then(() => 'ended' as const)]);
  if (end === 'ended') process.stderr.write('the cluster has ended, which nobody asked for\n');
  return end === 'ended' ? 1 : 0;
}

const limitsOf = (tier: Tier): readonly string[] => (tier === 'loopback' ? loopbackLimits() : []);

function printNext({ record }: LaunchedCluster, { joinHost }: UpSettings): void {
  if (!joinHost) {
    process.stdout.write('  Ctrl-C takes it down\n');
    return;
  }
  const inside = `docker exec ${hostname()}`;
  printHints([
    [`${inside} kubectl create deployment web --image=nginx --replicas=3`, 'pods'],
    [`${inside} kubectl expose deployment web --port=80 --type=LoadBalancer`, 'a Service'],
    limitsOf(record.tier).length === 0
      ? [`${inside} curl -s http://web`, 'call it, by name or address']
      : [`${inside} kubectl get --raw /api/v1/namespaces/default/services/web/proxy/`, 'call it through the API'],
  ]);
  process.stdout.write(
    `\n  the API is at port ${record.apiPort} of this container; docker exec -it ${hostname()} bash opens a shell\n`,
  );
}

function untilTold(): Promise<'told'> {
  const { promise, resolve } = Promise.withResolvers<'told'>();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve('told'));
  return promise;
}
