import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { BALANCINGS, type ClusterConfig, PROXY_MODES } from '../../cluster/config/cluster-config.ts';
import type { ConfigOverrides } from '../../cluster/config/parse-cluster-config.ts';
import { STORE_ENGINES } from '../../cluster/config/store-config.ts';
import type { Tier } from '../../cluster/tiers.ts';
import { UserError } from '../../errors/towtank-error.ts';
import type { Outcome } from '../outcome.ts';
import type { DemoOptions } from './demo.ts';
import { nameOption, tierOption, wholeNumber } from './options.ts';

interface UpOptions {
  readonly file?: string;
  readonly name?: string;
  readonly nodes?: number;
  readonly proxyMode?: ConfigOverrides['proxyMode'];
  readonly balancing?: ConfigOverrides['balancing'];
  readonly apiPort?: number;
  readonly cni?: ConfigOverrides['cni'];
  readonly apply: readonly string[];
  readonly quiet?: boolean;
  readonly store?: ConfigOverrides['store'];
  readonly fresh?: boolean;
  readonly tier?: Tier;
  readonly foreground?: boolean;
  readonly joinHost?: boolean;
}

/** `up`, `down`, `demo`: commands that make and unmake clusters. */
export function addClusterCommands(program: Command, outcome: Outcome): void {
  const append = (value: string, previous: readonly string[]): readonly string[] => [...previous, value];
  program
    .command('up')
    .description('start a cluster and leave it running')
    .option(
      '-f, --file <cluster.yaml>',
      'the cluster as a file (kind Cluster, towtank.dev/v1alpha1); - for standard input',
    )
    .addOption(new Option('--name <name>', 'name of the cluster (default: towtank)').env('TOWTANK_CLUSTER'))
    .option('--nodes <count>', 'how many nodes (default: 3)', wholeNumber)
    .addOption(new Option('--proxy-mode <mode>', "the nodes' kube-proxy (default: iptables)").choices([...PROXY_MODES]))
    .addOption(
      new Option('--balancing <way>', 'how Services choose endpoints (default: random)').choices([...BALANCINGS]),
    )
    .addOption(new Option('--cni <kind>', 'how pods hang off their node (default: ptp)').choices(['ptp', 'bridge']))
    .option('--api-port <port>', 'port of the API on 127.0.0.1 (default: a free one)', wholeNumber)
    .option(
      '--apply <manifest.yaml>',
      'apply these objects before it counts as ready (repeatable)',
      append,
      [] as readonly string[],
    )
    .addOption(
      new Option(
        '--store <engine>',
        'where its objects are kept (default: sqlite, a file of the state folder)',
      ).choices([...STORE_ENGINES]),
    )
    .option('--fresh', 'forget what is kept of a cluster of this name')
    .addOption(tierOption())
    .option('--foreground', 'stay until told to stop (Ctrl-C, SIGTERM), then take it down')
    .option(
      '--join-host',
      'in a container: let its own shell reach Services, pods and names, and let published ports in (with --foreground)',
    )
    .option('-q, --quiet', 'print nothing but errors')
    .addHelpText(
      'after',
      `
Examples:
  towtank up
  towtank up --nodes 5 --proxy-mode nftables --balancing round-robin
  towtank up -f cluster.yaml --name second --apply app.yaml
  towtank up --store memory

A cluster that was killed, or taken down with --keep, goes on with the objects that it had.`,
    )
    .action(async (options: UpOptions) => {
      const { up } = await import('./up.ts');
      outcome.exitCode = await up(await readConfig(options), {
        manifests: options.apply.map(readText),
        quiet: options.quiet ?? false,
        fresh: options.fresh ?? false,
        tier: options.tier,
        foreground: options.foreground ?? options.joinHost ?? false,
        joinHost: options.joinHost ?? false,
      });
    });

  program
    .command('down')
    .description('take a cluster down; nothing of it is left')
    .addOption(nameOption())
    .option('--all', 'every cluster of this user that runs')
    .option('--keep', 'keep its objects: towtank up goes on with them')
    .addHelpText(
      'after',
      '\nExamples:\n  towtank down\n  towtank down --name second\n  towtank down --keep\n  towtank down --all',
    )
    .action(async (options: { readonly name: string; readonly all?: boolean; readonly keep?: boolean }) => {
      const { down } = await import('./down.ts');
      await down(options);
    });

  program
    .command('demo')
    .description('build a cluster, show every path through it, take it down')
    .addOption(new Option('--proxy-mode <mode>', "the nodes' kube-proxy (default: iptables)").choices([...PROXY_MODES]))
    .addOption(
      new Option('--balancing <way>', 'how Services choose endpoints').choices([...BALANCINGS]).default('random'),
    )
    .option('--nodes <count>', 'how many nodes', wholeNumber, 3)
    .addOption(tierOption())
    .addHelpText('after', '\nExamples:\n  towtank demo\n  towtank demo --proxy-mode nftables --balancing round-robin')
    .action(async (options: DemoOptions) => {
      const { demo } = await import('./demo.ts');
      outcome.exitCode = await demo(options);
    });
}

async function readConfig(options: UpOptions): Promise<ClusterConfig> {
  const { file, name, nodes, proxyMode, balancing, apiPort, cni, store } = options;
  const overrides: ConfigOverrides = { name, nodes, proxyMode, balancing, apiPort, cni, store };
  const says = [file, nodes, proxyMode, balancing, cni, store].some((option) => option !== undefined);
  const { keptConfig } = await import('../../cluster/kept-cluster.ts');
  const kept = says || options.fresh === true ? undefined : keptConfig(name ?? 'towtank');
  if (kept !== undefined) return { ...kept, api: { port: apiPort ?? kept.api.port } };
  const { completeClusterConfig, parseClusterConfig } = await import('../../cluster/config/parse-cluster-config.ts');
  if (file === undefined) return completeClusterConfig({ spec: nodes === undefined ? {} : { nodes } }, overrides);
  return parseClusterConfig(readText(file), file === '-' ? 'standard input' : file, overrides);
}

function readText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    throw new UserError({
      code: 'ERR_USAGE',
      message: `cannot read ${file}: ${(cause as Error).message}`,
      hint: 'is the path right?',
      cause,
    });
  }
}
