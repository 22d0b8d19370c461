import { KernelCommandError } from '../../errors/kernel-command-error.ts';
import { links } from '../netlink/links.ts';
import type { LinkOperation } from '../netlink/operations.ts';
import { NetworkNamespace } from '../network-namespace.ts';
import { createIptablesRunner } from '../runners/iptables-runner.ts';
import { type KernelCommand, succeed } from '../runners/kernel-command.ts';
import { createNftRunner } from '../runners/nft-runner.ts';

/** Hands a namespace that exists for one probe to `use`. */
export async function inScratch<T>(use: (netns: NetworkNamespace) => T | Promise<T>): Promise<T> {
  await using netns = NetworkNamespace.create('doctor');
  return await use(netns);
}

/** Whether these links can be made. */
export function canLink(...operations: readonly LinkOperation[]): () => Promise<string> {
  return () =>
    inScratch((netns) => {
      links.apply(netns, operations);
      return 'works';
    });
}

/** Whether iptables takes a rule, given behind its table's name: `nat -A OUTPUT -j ACCEPT`. */
export function canFilter(backend: 'nft' | 'legacy', rules: readonly string[]): () => Promise<string> {
  return () =>
    inScratch(async (netns) => {
      const iptables = createIptablesRunner(netns, { backend });
      for (const family of ['ipv4', 'ipv6'] as const) {
        for (const rule of rules) await shortened(iptables.run(family, ['-t', ...rule.split(' ')]), family);
      }
      return 'works, IPv4 and IPv6';
    });
}

/** Whether nft takes a script. */
export function canRunNft(...lines: readonly string[]): () => Promise<string> {
  return () =>
    inScratch(async (netns) => {
      await shortened(createNftRunner(netns).run(`${lines.join('\n')}\n`), 'nft');
      return 'works';
    });
}

/** Whether a program of iproute2 or the like succeeds, after these links were made. */
export function canRun(command: readonly string[], ...operations: readonly LinkOperation[]): () => Promise<string> {
  return () =>
    inScratch(async (netns) => {
      links.apply(netns, operations);
      const call: KernelCommand = { netns, command };
      await shortened(succeed(call), command[0]!);
      return 'works';
    });
}

// The whole command line of a probe tells a user nothing; the program's first words do.
async function shortened<T>(attempt: Promise<T>, what: string): Promise<T> {
  try {
    return await attempt;
  } catch (error) {
    if (!(error instanceof KernelCommandError)) throw error;
    throw new Error(`${what}: ${error.stderr.trim().split('\n')[0]}`, { cause: error });
  }
}
