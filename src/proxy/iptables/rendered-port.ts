import { printRule } from '../../netfilter/iptables/print-rule.ts';
import { printRules } from '../../netfilter/iptables/print-ruleset.ts';
import type { TableName } from '../../netfilter/iptables/ruleset.ts';
import type { SelectedPort } from '../facts/select-endpoints.ts';
import { buildServiceRules } from './build-service-rules.ts';
import type { RuleContext } from './rule-context.ts';

/** A rule of a shared chain as text. */
export interface DispatchLine {
  readonly table: TableName;
  readonly chain: string;
  /** What stands behind `-A CHAIN`. */
  readonly rule: string;
}

/** The rules of one ServicePort as text, ready to be written. */
export interface RenderedPort {
  readonly selected: SelectedPort;
  readonly largeCluster: boolean;
  readonly dispatch: readonly DispatchLine[];
  /** By chain, table nat. */
  readonly chains: ReadonlyMap<string, ChainText>;
}

/** The rules of a chain as `-A` lines. */
export interface ChainText {
  readonly lines: string;
  readonly count: number;
}

/** What is remembered of a ServicePort whose rules are in the kernel. */
export interface AppliedPort {
  readonly selected: SelectedPort;
  readonly largeCluster: boolean;
  readonly dispatch: readonly DispatchLine[];
  readonly chains: readonly string[];
  /** Rules in its own chains. */
  readonly ruleCount: number;
}

/** Builds and prints the rules of one ServicePort. */
export function renderPort(selected: SelectedPort, context: RuleContext): RenderedPort {
  const { dispatch, chains } = buildServiceRules(selected, context);
  return {
    selected,
    largeCluster: context.largeCluster,
    dispatch: dispatch.map(({ table, chain, rule }) => ({ table, chain, rule: printRule(rule) })),
    chains: new Map(
      chains.map((chain) => [chain.name, { lines: printRules(chain).join('\n'), count: chain.rules.length }]),
    ),
  };
}

/** Forgets the text of the chains, which is most of the memory. */
export function toApplied({ selected, largeCluster, dispatch, chains }: RenderedPort): AppliedPort {
  let ruleCount = 0;
  for (const { count } of chains.values()) ruleCount += count;
  return { selected, largeCluster, dispatch, chains: [...chains.keys()], ruleCount };
}
