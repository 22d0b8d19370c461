import type { BuiltinContext, BuiltinImage, BuiltinProcess } from '../builtin-image.ts';
import { pauseProgram } from '../pause.ts';
import { finished } from '../serving/builtin-program.ts';
import { FlagError } from '../serving/parse-flags.ts';
import { connect } from './connect.ts';
import { liveness } from './liveness.ts';
import { netexec } from './netexec.ts';
import { porter } from './porter.ts';
import { printDnsServers, printDnsSuffixes, printHosts } from './print-files.ts';
import { serveHostname } from './serve-hostname.ts';

type Subcommand = (context: BuiltinContext, args: readonly string[]) => BuiltinProcess | Promise<BuiltinProcess>;

const subcommands: Readonly<Record<string, Subcommand>> = {
  connect,
  'dns-server-list': printDnsServers,
  'dns-suffix': printDnsSuffixes,
  'entrypoint-tester': (context, args) => {
    context.print(`[${['/agnhost', 'entrypoint-tester', ...args].join(' ')}]\n`);
    return finished(0);
  },
  'etc-hosts': printHosts,
  liveness: (context) => liveness(context),
  netexec,
  pause: (context) => {
    context.print('Paused\n');
    return pauseProgram(context);
  },
  porter,
  'serve-hostname': serveHostname,
};

/** Kubernetes' own test image: the subcommands of it that deal with networks. */
export const agnhost: BuiltinImage = {
  names: ['agnhost'],
  summary: `Kubernetes' network test image; subcommands ${Object.keys(subcommands).join(', ')}`,
  programs: ['agnhost'],
  entrypoint: 'own',
  defaultArgs: ['pause'],
  start(context) {
    const [name = 'help', ...args] = context.args;
    const subcommand = subcommands[name];
    if (subcommand === undefined) {
      const isHelp = ['help', '--help', '-h'].includes(name);
      if (!isHelp) context.log(`Error: unknown command "${name}" for "app"`);
      context.print(`Subcommands of the built-in agnhost: ${Object.keys(subcommands).join(', ')}\n`);
      return finished(isHelp ? 0 : 1);
    }
    try {
      return subcommand(context, args);
    } catch (error) {
      if (!(error instanceof FlagError)) throw error;
      context.log(`Error: ${error.message}`);
      return finished(1);
    }
  },
};
