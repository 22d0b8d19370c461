import type { NftRunner } from '../../netfilter/runner.ts';
import type { NetworkNamespace } from '../network-namespace.ts';
import { commandError, runKernelCommand, succeed } from './kernel-command.ts';

/** Makes the runner of one node's nftables rules that uses the nft program alone. It rejects with KernelCommandError. */
export function createNftProgramRunner(netns: NetworkNamespace): NftRunner {
  return {
    async run(script, { check = false } = {}) {
      await succeed({ netns, command: ['nft', ...(check ? ['-c'] : []), '-f', '-'], input: script });
    },
    async listTable(family, table) {
      const call = { netns, command: ['nft', '-s', 'list', 'table', family, table] };
      const result = await runKernelCommand(call);
      if (result.exitCode === 0) return result.stdout;
      if (result.stderr.includes('No such file or directory')) return undefined;
      throw commandError(call, result);
    },
  };
}
