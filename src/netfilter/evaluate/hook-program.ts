import type { HookName } from '../nftables/table.ts';
import type { PathState } from './path-state.ts';

/** What a chain makes of a packet: `next` goes on behind the chain. */
export type ChainResult = 'next' | 'accept' | 'drop' | 'reject';

/** One of the ways that a packet may take, and what became of it. */
export interface Branch<Result = ChainResult> {
  readonly state: PathState;
  readonly result: Result;
}

/** A base chain as the kernel calls it: in the order of priorities at its hook. */
export interface HookProgram {
  readonly hook: HookName;
  readonly priority: number;
  /** Chains of type nat are asked once per connection and direction. */
  readonly isNat: boolean;
  /** Never results in `next`: the policy has been applied. */
  run(state: PathState): readonly Branch[];
}

/** What a rule makes of a packet: `next` goes on behind the rule, `return` leaves the chain. */
export type RuleResult = ChainResult | 'return';

/** One rule of any back end. */
export interface EvaluatedRule {
  evaluate(state: PathState): readonly Branch<RuleResult>[];
}

/** Runs the rules of a chain in order; each way that a rule leaves with `next` meets the following rule. */
export function runRules(rules: Iterable<EvaluatedRule>, state: PathState): Branch[] {
  const done: Branch[] = [];
  let pending: readonly PathState[] = [state];
  for (const rule of rules) {
    const next: PathState[] = [];
    for (const before of pending) {
      for (const { state: after, result } of rule.evaluate(before)) {
        if (result === 'next') next.push(after);
        else done.push({ state: after, result: result === 'return' ? 'next' : result });
      }
    }
    pending = next;
    if (pending.length === 0) break;
  }
  for (const rest of pending) done.push({ state: rest, result: 'next' });
  return done;
}
