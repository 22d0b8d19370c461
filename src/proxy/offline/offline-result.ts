import type { Evaluation } from '../../netfilter/evaluate/evaluate-packet.ts';
import type { IptablesRuleset } from '../../netfilter/iptables/ruleset.ts';
import type { Table } from '../../netfilter/nftables/table.ts';
import type { Family } from '../../netfilter/runner.ts';
import type { RulesMode } from '../config/proxy-config.ts';
import type { PacketQuestion } from './packet-question.ts';

/** The rules of one family, as data. */
export type OfflineRules =
  | { readonly family: Family; readonly mode: 'iptables'; readonly ruleset: IptablesRuleset }
  | { readonly family: Family; readonly mode: 'nftables'; readonly table: Table };

/** What the proxy of a node would write for some objects. */
export interface OfflineResult {
  readonly nodeName: string;
  readonly mode: RulesMode;
  readonly rules: readonly OfflineRules[];
  readonly walks: readonly { readonly question: PacketQuestion; readonly evaluation: Evaluation }[];
  /** What was left out, and why. */
  readonly notes: readonly string[];
}
