import type { Rule } from '../../netfilter/iptables/rule.ts';
import type { TableName } from '../../netfilter/iptables/ruleset.ts';
import type { NodeNetwork } from '../facts/node-network.ts';

/** What the rules of every ServicePort of a node depend on. */
export interface RuleContext {
  readonly node: NodeNetwork;
  /** More than a thousand endpoints: the comments that make up most of the text are left out. */
  readonly largeCluster: boolean;
}

/** A rule of a chain that all Services share. */
export interface DispatchRule {
  readonly table: TableName;
  readonly chain: string;
  readonly rule: Rule;
}
