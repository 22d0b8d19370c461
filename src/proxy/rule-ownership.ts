import { UserError } from '../errors/towtank-error.ts';
import type { Family } from '../netfilter/runner.ts';
import { type FoundProxyRules, findProxyRules, hasChain, type SearchedRunners } from './find-proxy-rules.ts';
import { CANARY, SERVICES } from './iptables/chain-names.ts';
import { wordsOf } from './nftables/family-words.ts';
import { TABLE } from './nftables/object-names.ts';

/** An empty chain in table mangle, and an empty table of nftables: what lies beside them was written by towtank. */
const MARK = { chain: 'TOWTANK-PROXY', table: 'towtank-proxy' } as const;

const ALL: readonly FoundProxyRules[] = (['iptables', 'nftables'] as const).flatMap((mode) =>
  (['ipv4', 'ipv6'] as const).map((family) => ({ mode, family })),
);

/**
 * Whose proxy rules the ones of a network namespace are. The mark is kept in the kernel, beside the rules, so that it lasts
 * as long as they do: through restarts and in containers that forget their files.
 */
export class RuleOwnership {
  readonly #runners: SearchedRunners;

  constructor(runners: SearchedRunners) {
    this.#runners = runners;
  }

  /**
   * Rules of towtank that are there. Throws UserError ERR_PROXY_EXISTS when rules of another proxy are. Marks whose rules are
   * gone are removed: what is written there next may be another's.
   */
  async check(): Promise<readonly FoundProxyRules[]> {
    const found = await findProxyRules(this.#runners);
    const foreign: FoundProxyRules[] = [];
    for (const rules of found) if (!(await this.#isOurs(rules))) foreign.push(rules);
    if (foreign.length > 0) throw taken(foreign);
    const isFound = (mark: FoundProxyRules): boolean =>
      found.some(({ mode, family }) => mode === mark.mode && family === mark.family);
    await this.release(ALL.filter((mark) => !isFound(mark)));
    return found;
  }

  /** Marks what a proxy is about to write as towtank's, unless it is. */
  async claim({ mode, family }: FoundProxyRules): Promise<void> {
    if (await this.#isOurs({ mode, family })) return;
    if (mode === 'nftables') await this.#runners.nft?.run(`add table ${wordsOf(family).table} ${MARK.table}\n`);
    else await this.#runners.iptables?.run(family, ['-t', 'mangle', '-N', MARK.chain]);
  }

  /** Removes marks; default all. */
  async release(marks: readonly FoundProxyRules[] = ALL): Promise<void> {
    for (const { mode, family } of marks) {
      if (mode === 'nftables') await this.#releaseTable(family);
      else await this.#releaseChains(family);
    }
  }

  async #releaseTable(family: Family): Promise<void> {
    if (!(await this.#isOurs({ mode: 'nftables', family }))) return;
    await this.#runners.nft?.run(`delete table ${wordsOf(family).table} ${MARK.table}\n`);
  }

  async #releaseChains(family: Family): Promise<void> {
    const { iptables, otherIptables } = this.#runners;
    for (const runner of [iptables, otherIptables]) {
      if (runner === undefined || !(await hasChain(runner, family, { table: 'mangle', chain: MARK.chain }))) continue;
      await runner.run(family, ['-t', 'mangle', '-X', MARK.chain]);
    }
  }

  async #isOurs({ mode, family }: FoundProxyRules): Promise<boolean> {
    const { nft, iptables, otherIptables } = this.#runners;
    if (mode === 'nftables') return (await nft?.listTable(wordsOf(family).table, MARK.table)) !== undefined;
    for (const runner of [iptables, otherIptables]) {
      if (runner !== undefined && (await hasChain(runner, family, { table: 'mangle', chain: MARK.chain }))) return true;
    }
    return false;
  }
}

function taken(foreign: readonly FoundProxyRules[]): UserError {
  const what = foreign.map(({ mode, family }) =>
    mode === 'nftables'
      ? `table ${wordsOf(family).table} ${TABLE} of nftables`
      : `chains ${SERVICES} and ${CANARY} of ${family === 'ipv4' ? 'iptables' : 'ip6tables'}`,
  );
  return new UserError({
    code: 'ERR_PROXY_EXISTS',
    message: `another proxy owns the rules of this network namespace: ${what.join(', ')}`,
    hint: 'stop that proxy first; if none runs any more, `towtank proxy --cleanup` removes what it left',
  });
}
