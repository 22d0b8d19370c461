import { Command } from 'commander';
import { towtankVersion } from '../cluster/version.ts';
import { UserError } from '../errors/towtank-error.ts';
import { addClusterCommands } from './commands/cluster-commands.ts';
import { addDnsCommands } from './commands/dns-commands.ts';
import { addGetCommands } from './commands/get-commands.ts';
import { addInfoCommands } from './commands/info-commands.ts';
import { addOfflineCommands } from './commands/offline-commands.ts';
import { addProxyCommand } from './commands/proxy-command.ts';
import { addRunCommands } from './commands/run-commands.ts';
import { addSnapshotCommands } from './commands/snapshot-commands.ts';
import type { Outcome } from './outcome.ts';

/** The whole command line. Actions load what they need only when they run, so that `--help` stays quick. */
export function buildProgram(outcome: Outcome): Command {
  const program = new Command('towtank')
    .description('The whole of Kubernetes networking on one Linux machine, in about a second, with real packets.')
    .version(towtankVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .showHelpAfterError('(add --help to see what is possible)')
    .enablePositionalOptions()
    .exitOverride();
  // Whatever stands behind a command that there is not, it is the command that is wrong.
  program.usage('<command> [options]').argument('[words...]').passThroughOptions();
  program.action(([unknown]: readonly string[]) => {
    if (unknown !== undefined) throw unknownCommand(program, unknown);
    program.outputHelp();
  });
  program.addHelpText('after', EXAMPLES);
  addClusterCommands(program, outcome);
  addRunCommands(program, outcome);
  addInfoCommands(program, outcome);
  addGetCommands(program);
  addSnapshotCommands(program);
  addOfflineCommands(program);
  addProxyCommand(program);
  addDnsCommands(program, outcome);
  for (const command of program.commands)
    command.exitOverride().showHelpAfterError('(add --help to see what is possible)');
  return program;
}

function unknownCommand(program: Command, word: string): UserError {
  const known = program.commands.map((command) => command.name());
  return new UserError({
    code: 'ERR_USAGE',
    message: `unknown command "${word}"`,
    hint: word === 'kubectl' ? KUBECTL : `towtank knows: ${known.join(', ')}`,
  });
}

const KUBECTL = 'export KUBECONFIG=$(towtank kubeconfig --path), then run kubectl itself';

const EXAMPLES = `
Examples:
  towtank demo                                 build a cluster, show every path through it, take it down
  towtank up --nodes 3 --proxy-mode nftables   start a cluster and leave it running
  export KUBECONFIG=$(towtank kubeconfig --path)
  kubectl create deployment web --image=nginx --replicas=3
  kubectl expose deployment web --port=80
  towtank exec client -- curl -s http://172.18.0.2:30080
  towtank down`;
