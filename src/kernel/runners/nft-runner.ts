import type { NftRunner } from '../../netfilter/runner.ts';
import { isLibcAvailable } from '../ffi/libc.ts';
import type { NetworkNamespace } from '../network-namespace.ts';
import { createNetlinkTransactions } from '../nfnetlink/netlink-transactions.ts';
import { createNftProgramRunner } from './nft-program-runner.ts';

/**
 * Makes the runner of one node's nftables rules: transactions given as data go by netlink where this process can speak it,
 * everything else through the nft program. Rejects with KernelCommandError or TransactionError.
 */
export function createNftRunner(netns: NetworkNamespace): NftRunner {
  const program = createNftProgramRunner(netns);
  return isLibcAvailable() ? { ...program, ...createNetlinkTransactions(netns) } : program;
}
