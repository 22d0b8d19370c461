import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { UserError } from '../../errors/towtank-error.ts';

interface ProxyCommandOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly nodeName?: string;
  readonly proxyMode?: 'iptables' | 'nftables' | 'userspace';
  readonly portalRules?: 'iptables' | 'nftables';
  readonly idleTimeout?: string;
  readonly drainTimeout?: string;
  readonly config?: string;
  readonly cleanup?: boolean;
}

/** `proxy`: the kube-proxy of this machine, for any cluster. */
export function addProxyCommand(program: Command): void {
  program
    .command('proxy')
    .description('run as the kube-proxy of this machine against any Kubernetes API server')
    .option('--kubeconfig <file>', 'how to reach the API server (default: the ServiceAccount of this pod)')
    .option('--context <name>', 'a context of the kubeconfig (default: its current one)')
    .option('--node-name <node>', 'the node that this machine is (default: its host name)')
    .addOption(new Option('--proxy-mode <mode>', 'default iptables').choices(['iptables', 'nftables', 'userspace']))
    .option('--config <file>', 'a KubeProxyConfiguration (v1alpha1)')
    .addOption(
      new Option('--portal-rules <mode>', 'rules that lead to a proxy in userspace mode, default nftables').choices([
        'iptables',
        'nftables',
      ]),
    )
    .option('--idle-timeout <duration>', 'userspace mode: reset connections that say nothing (default: never)')
    .option(
      '--drain-timeout <duration>',
      'userspace mode: reset connections of what left or was replaced (default: never)',
    )
    .option('--cleanup', 'remove the rules of any proxy and end')
    .addHelpText(
      'after',
      `
Rules are written in the network namespace that the command is started in, and stay when it ends.
In userspace mode another one for the same node takes over from it.

Examples:
  towtank proxy --kubeconfig /etc/kubernetes/proxy.conf --node-name node-1 --proxy-mode nftables
  towtank proxy --config /var/lib/kube-proxy/config.conf
  towtank proxy --cleanup`,
    )
    .action(async ({ cleanup, proxyMode: mode, config, ...options }: ProxyCommandOptions) => {
      const { cleanUpProxy, runProxy } = await import('../../cluster/offline/run-proxy.ts');
      if (cleanup) await cleanUpProxy();
      else await runProxy({ ...options, mode, config: config === undefined ? undefined : read(config) });
    });
}

function read(file: string): { readonly file: string; readonly text: string } {
  try {
    return { file, text: readFileSync(file, 'utf8') };
  } catch (cause) {
    throw new UserError({
      code: 'ERR_USAGE',
      message: `cannot read ${file}: ${(cause as Error).message}`,
      hint: 'is the path right?',
      cause,
    });
  }
}
