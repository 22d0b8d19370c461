import type { Family, IptablesRunner, NftRunner } from '../../netfilter/runner.ts';
import type { RulesMode } from '../config/proxy-config.ts';
import { wordsOf } from '../nftables/family-words.ts';
import type { NodeSockets } from './transport.ts';

/** The bit that marks replies to sockets of the proxy, and the routing table that delivers what has it to this node. */
export const REPLIES = { mark: 0x2000, table: 0x2000 } as const;

const TABLE = 'towtank-replies';
const MARK = `${REPLIES.mark}/${REPLIES.mark}`;
const RULE = ['PREROUTING', '-p', 'tcp', '-m', 'socket', '--transparent', '-j', 'MARK', '--set-xmark', MARK];

export interface ReplyPathOptions {
  readonly family: Family;
  readonly rules: RulesMode;
  readonly nft?: NftRunner | undefined;
  /** The back ends of iptables; a rule is written with the first, and removed from all. */
  readonly iptables: readonly IptablesRunner[];
  readonly sockets: Pick<NodeSockets, 'deliverMarked' | 'forwardMarked'>;
}

/**
 * Brings what endpoints reply to a client's own address back to the proxy, whose socket has that address: a rule marks packets for
 * which there is such a socket, and a routing table of its own delivers what is marked.
 */
export class ReplyPath {
  readonly #options: ReplyPathOptions;

  constructor(options: ReplyPathOptions) {
    this.#options = options;
  }

  /** Makes it, or makes sure of it. Rejects with what the kernel says. */
  async open(): Promise<void> {
    const { family, rules, sockets, iptables } = this.#options;
    const [runner] = iptables;
    sockets.deliverMarked(family, REPLIES);
    if (rules === 'nftables') {
      await this.#nft(`add table ${this.#table}
add chain ${this.#table} prerouting { type filter hook prerouting priority mangle; }
flush chain ${this.#table} prerouting
add rule ${this.#table} prerouting meta l4proto tcp socket transparent 1 meta mark set meta mark | ${REPLIES.mark}
`);
    } else if (runner !== undefined && !(await this.#hasRule(runner)))
      await runner.run(family, ['-t', 'mangle', '-A', ...RULE]);
  }

  /** Whether it is there, with either kind of rules. */
  async isOpen(): Promise<boolean> {
    const { family, iptables, nft } = this.#options;
    if ((await nft?.listTable(wordsOf(family).table, TABLE)) !== undefined) return true;
    for (const runner of iptables) if (await this.#hasRule(runner)) return true;
    return false;
  }

  /** Removes it, whichever kind of rules it has. */
  async close(): Promise<void> {
    const { family, sockets, iptables } = this.#options;
    await this.#nft(`add table ${this.#table}\ndelete table ${this.#table}\n`);
    for (const runner of iptables)
      while (await this.#hasRule(runner)) await runner.run(family, ['-t', 'mangle', '-D', ...RULE]);
    sockets.forwardMarked(family, REPLIES);
  }

  get #table(): string {
    return `${wordsOf(this.#options.family).table} ${TABLE}`;
  }

  async #nft(script: string): Promise<void> {
    await this.#options.nft?.run(script);
  }

  async #hasRule(runner: IptablesRunner): Promise<boolean> {
    return (await runner.run(this.#options.family, ['-t', 'mangle', '-C', ...RULE])).exitCode === 0;
  }
}
