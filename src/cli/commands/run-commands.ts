import { type Command, Option } from 'commander';
import type { Outcome } from '../outcome.ts';
import { nameOption } from './options.ts';

interface RunOptions {
  readonly name: string;
  readonly namespace: string;
  readonly container?: string;
}

/** `exec` and `shell`: commands that run something inside the cluster. */
export function addRunCommands(program: Command, outcome: Outcome): void {
  const places = (command: Command): Command =>
    command
      .addOption(nameOption())
      .addOption(new Option('-n, --namespace <namespace>', 'namespace of the pod').default('default'))
      .option('-c, --container <name>', 'container of the pod (default: the first)');

  places(program.command('exec'))
    .description('run a command in a pod, on a node, or at the outside client')
    .argument('<place>', 'client, a node, a pod, or namespace/pod')
    .argument('<command...>', 'the command, after --')
    .passThroughOptions()
    .addHelpText(
      'after',
      `
Examples:
  towtank exec web-1 -- curl -s http://web
  towtank exec node-1 -- iptables-save -t nat
  towtank exec client -- curl -s http://172.18.0.2:30080
  towtank exec kube-system/coredns-0 -- cat /etc/resolv.conf`,
    )
    .action(async (place: string, command: string[], options: RunOptions) => {
      const { execIn } = await import('./exec-in.ts');
      // With options passed through, the -- before the command is a word like any other.
      outcome.exitCode = await execIn({ ...options, place, command: command[0] === '--' ? command.slice(1) : command });
    });

  places(program.command('shell'))
    .description('open a shell in a pod, on a node, or at the outside client')
    .argument('<place>', 'client, a node, a pod, or namespace/pod')
    .addHelpText('after', '\nExamples:\n  towtank shell node-2\n  towtank shell client')
    .action(async (place: string, options: RunOptions) => {
      const { execIn } = await import('./exec-in.ts');
      outcome.exitCode = await execIn({
        ...options,
        place,
        command: ['sh', '-c', 'exec $(command -v bash || echo sh)'],
      });
    });
}
