import type { ClusterConfig } from '../../cluster/config/cluster-config.ts';
import { isKept } from '../../cluster/kept-cluster.ts';
import { type LaunchedCluster, launchCluster } from '../../cluster/launch-cluster.ts';
import { describeTier, type Tier } from '../../cluster/tiers.ts';
import { StepLine } from '../print/step-line.ts';
import { styled } from '../print/style.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export interface UpSettings {
  readonly manifests: readonly string[];
  readonly quiet: boolean;
  readonly fresh: boolean;
  readonly tier?: Tier | undefined;
  readonly foreground: boolean;
  readonly joinHost: boolean;
}

/** Launches it with its progress on standard error, and says that it is up. */
export async function startCluster(
  config: ClusterConfig,
  { manifests, quiet, fresh, tier, foreground, joinHost }: UpSettings,
): Promise<LaunchedCluster> {
  const startedAt = Math.round(performance.timeOrigin);
  const progress = new StepLine(process.stderr, quiet);
  using interruption = untilInterrupted();
  const again = !fresh && !foreground && isKept(config.name) ? ' again' : '';
  try {
    const launched = await launchCluster({
      config,
      manifests,
      startedAt,
      fresh,
      tier,
      lifeline: foreground,
      openApi: joinHost,
      signal: foreground ? undefined : interruption.signal,
      onStep: (name, ms) => progress.step(name, ms),
    });
    progress.done();
    if (!quiet) {
      const seconds = ((Date.now() - startedAt) / 1000).toFixed(2);
      const title = `cluster ${styled('bold', config.name)} is up${again}: ${config.nodes.length} nodes in ${seconds} s`;
      process.stdout.write(`${styled('green', '✓')} ${title}\n${foreground ? '' : await tierLines(launched)}\n`);
    }
    return launched;
  } finally {
    progress.done();
  }
}

// Ctrl-C takes back what was begun; pressed again it ends the command at once.
function untilInterrupted(): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const interrupt = (): void => controller.abort();
  for (const name of SIGNALS) process.once(name, interrupt);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      for (const name of SIGNALS) process.off(name, interrupt);
    },
  };
}

// What a cluster is made of is told where it is not what people expect.
async function tierLines(launched: LaunchedCluster): Promise<string> {
  const { tier } = launched.record;
  if (tier === 'full') return '';
  const { Cluster } = await import('../../cluster/cluster.ts');
  const { loopback } = await new Cluster(launched).status();
  return [`tier ${describeTier(tier)}`, ...(loopback?.limits ?? [])].map((line) => `  ${line}\n`).join('');
}

/** Prints commands and what each is for. */
export function printHints(hints: readonly (readonly [command: string, what: string])[]): void {
  const width = Math.max(52, ...hints.map(([command]) => command.length));
  for (const [command, what] of hints) process.stdout.write(`  ${command.padEnd(width)} ${styled('dim', what)}\n`);
}
