import type { Family, IptablesRunner } from '../../netfilter/runner.ts';
import { NetworkNamespace } from '../network-namespace.ts';
import type { KernelThread } from '../thread/kernel-thread-handle.ts';
import { type IptablesBackend, iptablesProgram } from './iptables-programs.ts';
import { commandError, type KernelCommand, runKernelCommand, succeed } from './kernel-command.ts';

export interface IptablesRunnerOptions {
  /** `auto` takes what the machine's own `iptables` is. */
  readonly backend: IptablesBackend | 'auto';
  /** Starts the programs, where it finds the namespace. */
  readonly thread?: KernelThread | undefined;
}

// iptables-restore -w: how long to wait for another iptables of the same node, in seconds.
const lockWait = '5';
// A file name has 255 characters. Two long names that begin alike share a lock, which harms nothing.
const longestName = 240;

/** Makes the runner of one node's iptables rules, both families. Its methods reject with KernelCommandError. */
export function createIptablesRunner(netns: NetworkNamespace, options: IptablesRunnerOptions): IptablesRunner {
  const env = netns === NetworkNamespace.current() ? {} : { XTABLES_LOCKFILE: lockFileOf(netns) };
  const command = (family: Family, tool: string, args: readonly string[]): KernelCommand => {
    return { netns, env, thread: options.thread, command: [iptablesProgram(options.backend, family, tool), ...args] };
  };
  return {
    async restore(family, text, { noflush, counters = false }) {
      const args = ['-w', lockWait, ...(noflush ? ['--noflush'] : []), ...(counters ? ['--counters'] : [])];
      await succeed({ ...command(family, '-restore', args), input: text });
    },
    async save(family, table) {
      return await succeed(command(family, '-save', table === undefined ? [] : ['-t', table]));
    },
    async run(family, args) {
      const call = command(family, '', ['-w', lockWait, ...args]);
      const result = await runKernelCommand(call);
      const { exitCode, stdout, stderr } = result;
      const checks = args.includes('-C') || args.includes('--check');
      if (exitCode === 0 || (exitCode === 1 && checks)) return { exitCode, stdout, stderr };
      throw commandError(call, result);
    },
  };
}

// Legacy iptables of all namespaces would wait for each other on the one /run/xtables.lock; in the namespace that the process
// was born in, others use that one.
function lockFileOf({ name }: NetworkNamespace): string {
  return `/run/xtables-${name.slice(0, longestName)}.lock`;
}
