import { TowtankError } from '../../errors/towtank-error.ts';
import { printTransaction } from '../../netfilter/nftables/print-transaction.ts';
import type { Field, Statement } from '../../netfilter/nftables/rule.ts';
import type { Operation, Transaction } from '../../netfilter/nftables/transaction.ts';
import type { NetworkNamespace } from '../network-namespace.ts';
import { createNftRunner } from '../runners/nft-runner.ts';
import { isV6 } from './addresses.ts';

const table = 'towtank-unclaimed';
const chain = {
  name: 'prerouting',
  hook: { type: 'filter', hook: 'prerouting', priority: -300, policy: 'accept' },
} as const;

/**
 * Refuses what comes for addresses in `cidrs` at once and each time: packets to a Service that no proxy knows yet leave their
 * node and end here. Without it the kernel tells a sender five times, and then once a second, that there is no route; a
 * first SYN that is not answered waits for a second. Returns why it cannot be done where the kernel lacks it.
 */
export async function refuseUnclaimed(netns: NetworkNamespace, cidrs: readonly string[]): Promise<Error | undefined> {
  const runner = createNftRunner(netns);
  try {
    for (const transaction of cidrs.map(refusal)) {
      if (runner.apply !== undefined) await runner.apply(transaction);
      else await runner.run(printTransaction(transaction));
    }
    return undefined;
  } catch (error) {
    if (error instanceof TowtankError) return error;
    throw error;
  }
}

function refusal(cidr: string): Transaction {
  const family = isV6(cidr) ? 'ip6' : 'ip';
  const destination = matches(`${family} daddr`, cidr);
  const operations: Operation[] = [
    { kind: 'add-table' },
    { kind: 'add-chain', chain },
    rule(destination, matches('meta l4proto', 'tcp'), { kind: 'reject', with: 'tcp reset' }),
    rule(destination, { kind: 'reject' }),
  ];
  return { family, table, operations };
}

const matches = (field: Field, key: string): Statement => ({
  kind: 'match',
  fields: [field],
  in: { elements: [{ key }] },
});

const rule = (...statements: readonly Statement[]): Operation => ({
  kind: 'add-rule',
  chain: chain.name,
  rule: { statements },
});
