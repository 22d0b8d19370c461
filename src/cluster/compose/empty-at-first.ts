import type { Family, IptablesRunner } from '../../netfilter/runner.ts';

/**
 * The runner of a namespace that was just made for its node: it has no rules, so that the first look at each family needs no
 * program.
 */
export function emptyAtFirst(runner: IptablesRunner): IptablesRunner {
  const seen = new Set<Family>();
  return {
    ...runner,
    save: async (family, table) => {
      if (seen.has(family)) return runner.save(family, table);
      seen.add(family);
      return '';
    },
  };
}
