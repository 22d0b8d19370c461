import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import type { NamedText } from '../../cluster/offline/print-rules.ts';
import { UserError } from '../../errors/towtank-error.ts';

interface RulesOptions {
  readonly file: readonly string[];
  readonly nodeName: string;
  readonly mode: 'iptables' | 'nftables';
  readonly config?: string;
  readonly nodeIp: readonly string[];
  readonly family?: 'ipv4' | 'ipv6';
  readonly packet: readonly string[];
  readonly output: 'text' | 'json';
}

const append = (value: string, previous: readonly string[] = []): readonly string[] => [...previous, value];
const NONE: readonly string[] = [];

/** `rules`: what needs no cluster, no kernel and no privilege. */
export function addOfflineCommands(program: Command): void {
  program
    .command('rules')
    .description('print what the kube-proxy of a node would write for objects in files')
    .requiredOption(
      '-f, --file <objects.yaml>',
      'Services, EndpointSlices, Nodes, ServiceCIDRs as kubectl prints them; - for standard input (repeatable)',
      append,
    )
    .requiredOption('--node-name <node>', 'the node whose proxy it is')
    .addOption(new Option('--mode <mode>', 'which proxy').choices(['iptables', 'nftables']).default('iptables'))
    .option('--config <file>', 'a KubeProxyConfiguration (v1alpha1)')
    .option('--node-ip <address>', 'an address of the node besides those of its Node object (repeatable)', append, NONE)
    .addOption(new Option('--family <family>', 'only this family').choices(['ipv4', 'ipv6']))
    .option(
      '--packet <question>',
      "also tell a packet's way: 'src=10.244.1.5 dst=10.96.0.10:80/tcp from=pod|node|localhost|outside' (repeatable)",
      append,
      NONE,
    )
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'))
    .addHelpText(
      'after',
      `
Examples:
  kubectl get services,endpointslices,nodes -A -o yaml | towtank rules -f - --node-name node-1
  towtank rules -f objects.yaml --node-name node-1 --mode nftables
  towtank rules -f objects.yaml --node-name node-1 --packet 'src=10.244.1.5 dst=10.96.0.10:80/tcp from=pod'`,
    )
    .action(async (options: RulesOptions) => {
      const { printRules } = await import('../../cluster/offline/print-rules.ts');
      const { nodeName, mode, family, output, nodeIp: nodeIPs, packet: packets } = options;
      const config = options.config === undefined ? undefined : read(options.config);
      process.stdout.write(
        printRules({ objects: options.file.map(read), nodeName, mode, config, nodeIPs, family, packets, output }),
      );
    });
}

function read(file: string): NamedText {
  try {
    return { file: file === '-' ? 'standard input' : file, text: readFileSync(file === '-' ? 0 : file, 'utf8') };
  } catch (cause) {
    throw new UserError({
      code: 'ERR_USAGE',
      message: `cannot read ${file}: ${(cause as Error).message}`,
      hint: 'is the path right?',
      cause,
    });
  }
}
