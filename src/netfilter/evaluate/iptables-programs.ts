import { printRule } from '../iptables/print-rule.ts';
import type { Rule, Target } from '../iptables/rule.ts';
import type { Chain, IptablesRuleset, Table, TableName } from '../iptables/ruleset.ts';
import type { HookName } from '../nftables/table.ts';
import { type Branch, type EvaluatedRule, type HookProgram, type RuleResult, runRules } from './hook-program.ts';
import { evaluateMatch } from './iptables-match.ts';
import { type PathState, translateTo, withNote, withShare, withStep } from './path-state.ts';

/** The built-in chains of a ruleset, at the priorities that the kernel gives its tables. */
export function iptablesPrograms(ruleset: IptablesRuleset): HookProgram[] {
  return [...ruleset.tables.values()].flatMap((table) =>
    builtIns.flatMap(([name, hook]) => {
      const chain = table.chains.get(name);
      return chain === undefined ? [] : [programOf(table, chain, hook)];
    }),
  );
}

const builtIns: readonly (readonly [name: string, hook: HookName])[] = [
  ['PREROUTING', 'prerouting'],
  ['INPUT', 'input'],
  ['FORWARD', 'forward'],
  ['OUTPUT', 'output'],
  ['POSTROUTING', 'postrouting'],
];

const priorities: Readonly<Record<TableName, number>> = { raw: -300, mangle: -150, nat: -100, filter: 0, security: 50 };
const sourceNatPriority = 100;

function programOf(table: Table, chain: Chain, hook: HookName): HookProgram {
  const isNat = table.name === 'nat';
  const isSourceNat = isNat && (hook === 'postrouting' || hook === 'input');
  const policy = chain.policy === 'DROP' ? 'drop' : 'accept';
  return {
    hook,
    priority: isSourceNat ? sourceNatPriority : priorities[table.name],
    isNat,
    run: (state) =>
      runChain(table, chain, state).map((branch) =>
        branch.result === 'next' ? { state: branch.state, result: policy } : branch,
      ),
  };
}

function runChain(table: Table, chain: Chain, state: PathState): Branch[] {
  return runRules(rulesOf(table, chain), state);
}

function* rulesOf(table: Table, chain: Chain): Iterable<EvaluatedRule> {
  for (const [index, rule] of chain.rules.entries()) {
    const place = { table, chain, rule, position: index + 1 };
    yield { evaluate: (state) => evaluateRule(place, state) };
  }
}

interface Place {
  readonly table: Table;
  readonly chain: Chain;
  readonly rule: Rule;
  readonly position: number;
}

type Branches = readonly Branch<RuleResult>[];

function evaluateRule(place: Place, start: PathState): Branches {
  let state = start;
  let share = 1;
  for (const match of place.rule.matches) {
    const result = evaluateMatch(match, state);
    state = result.state;
    share *= result.share;
    if (share === 0) return [{ state, result: 'next' }];
  }
  const hit = applyTarget(place, withShare(matched(place, state), share));
  return share === 1 ? hit : [...hit, { state: withShare(state, 1 - share), result: 'next' }];
}

function matched({ table, chain, rule, position }: Place, state: PathState): PathState {
  return withStep(state, {
    hook: state.hook,
    table: table.name,
    chain: chain.name,
    position,
    rule: `-A ${chain.name} ${printRule(rule)}`,
  });
}

function applyTarget(place: Place, state: PathState): Branches {
  const { target } = place.rule;
  switch (target?.kind) {
    case undefined:
      return [{ state, result: 'next' }];
    case 'accept':
      return [{ state: { ...state, isAccepted: true }, result: 'accept' }];
    case 'drop':
    case 'reject':
    case 'return':
      return [{ state, result: target.kind }];
    case 'jump':
    case 'goto':
      return applyJump(place, target, state);
    case 'mark':
      return [{ state: { ...state, mark: ((state.mark & ~target.mask) ^ target.value) >>> 0 }, result: 'next' }];
    case 'masquerade':
    case 'snat':
      return [{ state: { ...state, isMasqueraded: true }, result: 'accept' }];
    case 'dnat':
      return [{ state: translateTo(state, target.to), result: 'accept' }];
    case 'redirect':
      return [{ state: redirect(state, target.toPorts), result: 'accept' }];
    case 'other':
      return [{ state: withNote(state, `not evaluated: ${target.words.join(' ')}`), result: 'next' }];
  }
}

function applyJump({ table }: Place, target: Extract<Target, { readonly chain: string }>, state: PathState): Branches {
  const chain = table.chains.get(target.chain);
  if (chain === undefined) return [{ state: withNote(state, `no chain ${target.chain}`), result: 'next' }];
  const branches = runChain(table, chain, state);
  if (target.kind === 'jump') return branches;
  return branches.map((branch) => (branch.result === 'next' ? { state: branch.state, result: 'return' } : branch));
}

// REDIRECT goes to the host itself: to loopback for its own packets, else to an address of the incoming interface.
function redirect(state: PathState, toPorts: string): PathState {
  const isV6 = state.destination.includes(':');
  const own = state.host.localAddresses.find((address) => address.includes(':') === isV6);
  const loopback = isV6 ? '::1' : '127.0.0.1';
  const address = state.hook === 'output' ? loopback : (own ?? loopback);
  return translateTo(state, isV6 ? `[${address}]:${toPorts}` : `${address}:${toPorts}`);
}
