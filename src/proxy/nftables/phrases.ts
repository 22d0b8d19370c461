import type { Field, Rule, Statement, Verdict } from '../../netfilter/nftables/rule.ts';
import type { LocalDetector, NodeNetwork } from '../facts/node-network.ts';
import { wordsOf } from './family-words.ts';

/** A rule of these statements. */
export function rule(statements: readonly Statement[], comment?: string): Rule {
  return comment === undefined ? { statements } : { statements, comment };
}

export function jump(chain: string): Statement {
  return { kind: 'verdict', verdict: { kind: 'jump', chain } };
}

export function goto(chain: string): Statement {
  return { kind: 'verdict', verdict: { kind: 'goto', chain } };
}

export const DROP: Statement = { kind: 'verdict', verdict: { kind: 'drop' } };
export const REJECT: Statement = { kind: 'reject' };

/** One field compared with one value, or with any of several. */
export function matches(field: Field, values: readonly string[], not = false): Statement {
  return {
    kind: 'match',
    fields: [field],
    in: { elements: values.map((key) => ({ key })) },
    ...(not ? { not } : {}),
  };
}

/** Fields looked up in a named set. */
export function isIn(fields: readonly Field[], name: string): Statement {
  return { kind: 'match', fields, in: { name } };
}

export function gotoVerdict(chain: string): Verdict {
  return { kind: 'goto', chain };
}

/** Matches traffic of pods, or (`not`) all other; undefined where the node cannot tell. */
export function ifFromPod(node: NodeNetwork, not = false): Statement | undefined {
  const value = detectorValue(node.localDetector);
  if (value === undefined) return undefined;
  const field = node.localDetector.kind === 'cidr' ? wordsOf(node.family).source : 'iifname';
  return matches(field, [value], not);
}

function detectorValue(detector: LocalDetector): string | undefined {
  switch (detector.kind) {
    case 'none':
      return undefined;
    case 'cidr':
      return detector.cidr;
    case 'interface':
      return detector.name;
    case 'interface-prefix':
      return `${detector.prefix}*`;
  }
}
