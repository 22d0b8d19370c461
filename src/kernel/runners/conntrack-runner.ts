import type { ConntrackRunner } from '../../netfilter/runner.ts';
import type { NetworkNamespace } from '../network-namespace.ts';
import { deleteArguments, parseConntrack } from './conntrack-text.ts';
import { commandError, type KernelCommand, runKernelCommand, succeed } from './kernel-command.ts';

/** Makes the runner of one node's connection tracking table. Its methods reject with KernelCommandError. */
export function createConntrackRunner(netns: NetworkNamespace): ConntrackRunner {
  return {
    async list(family, protocol) {
      const stdout = await succeed({ netns, command: ['conntrack', '-L', '-f', family, '-p', protocol] });
      return parseConntrack(stdout, family);
    },
    async delete(flows) {
      let deleted = 0;
      for (const flow of flows) {
        if (await deleteFlow({ netns, command: ['conntrack', ...deleteArguments(flow)] })) deleted += 1;
      }
      return deleted;
    },
  };
}

// conntrack -D exits 1 both when nothing matched and when it failed; only its words tell these apart.
async function deleteFlow(call: KernelCommand): Promise<boolean> {
  const result = await runKernelCommand(call);
  if (result.exitCode === 0) return true;
  if (result.stderr.includes(': 0 flow entries have been deleted')) return false;
  throw commandError(call, result);
}
