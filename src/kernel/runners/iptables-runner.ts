import { printRestore } from '../../netfilter/iptables/restore-input.ts';
import type { Family, IptablesRunner } from '../../netfilter/runner.ts';
import { isLibcAvailable } from '../ffi/libc.ts';
import { NetworkNamespace } from '../network-namespace.ts';
import { NftablesSocket } from '../nfnetlink/nftables-socket.ts';
import { readGeneration } from '../nfnetlink/read-generation.ts';
import type { KernelThread } from '../thread/kernel-thread-handle.ts';
import { describeTables } from '../xtables/describe-tables.ts';
import { TableRestorer } from '../xtables/table-restorer.ts';
import { type IptablesBackend, iptablesProgram, isLegacy } from './iptables-programs.ts';
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
const SHARED_LOCK_FILE = '/run/xtables.lock';

/**
 * Makes the runner of one node's iptables rules, both families. What is usual is written to iptables-legacy without its
 * programs; they do the rest. Its methods reject with KernelCommandError.
 */
export function createIptablesRunner(netns: NetworkNamespace, options: IptablesRunnerOptions): IptablesRunner {
  const isOwn = netns !== NetworkNamespace.current();
  const env = isOwn ? { XTABLES_LOCKFILE: lockFileOf(netns) } : {};
  const lockFile = isOwn ? lockFileOf(netns) : (process.env['XTABLES_LOCKFILE'] ?? SHARED_LOCK_FILE);
  const backend = options.backend;
  let legacy: boolean | undefined;
  const usesLegacy = (): boolean => (legacy ??= isLegacy(backend));
  const restorer = new TableRestorer(netns, lockFile);
  const command = (family: Family, tool: string, args: readonly string[]): KernelCommand => {
    return { netns, env, thread: options.thread, command: [iptablesProgram(backend, family, tool), ...args] };
  };
  return {
    async restore(family, input, { noflush, counters = false }) {
      const isUsual = noflush && !counters && isLibcAvailable() && usesLegacy();
      const rest = isUsual ? await restorer.restore(family, input) : input;
      if (rest.length === 0) return;
      const args = ['-w', lockWait, ...(noflush ? ['--noflush'] : []), ...(counters ? ['--counters'] : [])];
      await succeed({ ...command(family, '-restore', args), input: printRestore(rest) });
    },
    ...(isLibcAvailable() && {
      async generation(family: Family) {
        if (usesLegacy()) return await describeTables(netns, family);
        using socket = new NftablesSocket(netns);
        return readGeneration(socket);
      },
    }),
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
