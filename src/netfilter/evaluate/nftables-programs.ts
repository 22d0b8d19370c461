import { printRule } from '../nftables/print-rule.ts';
import type { Lookup, LookupKey, Rule, Statement, Verdict } from '../nftables/rule.ts';
import { isGenerator } from '../nftables/rule.ts';
import type { Chain, Table } from '../nftables/table.ts';
import type { Family } from '../runner.ts';
import { findByFields, findByGenerator } from './find-element.ts';
import { type Branch, type EvaluatedRule, type HookProgram, type RuleResult, runRules } from './hook-program.ts';
import { type PathState, translateTo, withNote, withShare, withStep } from './path-state.ts';
import { readField } from './read-field.ts';

/** The base chains of tables that see packets of this family. */
export function nftablesPrograms(tables: readonly Table[], family: Family): HookProgram[] {
  const own = family === 'ipv4' ? 'ip' : 'ip6';
  return tables
    .filter((table) => table.family === own || table.family === 'inet')
    .flatMap((table) => [...table.chains.values()].flatMap((chain) => programOf(table, chain)));
}

function programOf(table: Table, chain: Chain): HookProgram[] {
  const { hook } = chain;
  if (hook === undefined) return [];
  const run = (state: PathState): Branch[] =>
    runChain(table, chain, state).map((branch) =>
      branch.result === 'next' ? { state: branch.state, result: hook.policy } : branch,
    );
  return [{ hook: hook.hook, priority: hook.priority, isNat: hook.type === 'nat', run }];
}

function runChain(table: Table, chain: Chain, state: PathState): Branch[] {
  return runRules(rulesOf(table, chain), state);
}

function* rulesOf(table: Table, chain: Chain): Iterable<EvaluatedRule> {
  for (const [index, rule] of chain.rules.entries()) {
    const place = { table, chain, rule, position: index + 1 };
    yield { evaluate: (state) => runStatements(place, 0, state) };
  }
}

interface Place {
  readonly table: Table;
  readonly chain: Chain;
  readonly rule: Rule;
  readonly position: number;
}

type Branches = readonly Branch<RuleResult>[];

// A statement lets the packet go on to the next statement, ends the rule, or ends the chain.
function runStatements(place: Place, index: number, state: PathState): Branches {
  const statement = place.rule.statements[index];
  if (statement === undefined) return [{ state: matched(place, state), result: 'next' }];
  const goOn = (after: PathState): Branches => runStatements(place, index + 1, after);
  const endRule: Branches = [{ state, result: 'next' }];
  switch (statement.kind) {
    case 'match':
      return isMatch(statement, place, state) ? goOn(state) : endRule;
    case 'mark':
      return ((state.mark & statement.mask) >>> 0 === statement.value) !== (statement.not ?? false)
        ? goOn(state)
        : endRule;
    case 'set-mark':
      return goOn({ ...state, mark: changeMark(state.mark, statement) });
    case 'counter':
      return goOn(state);
    case 'update':
      return goOn(remember(state, statement));
    case 'vmap':
      return lookUp(statement, place, state, (value) => applyVerdict(place, value as Verdict));
    case 'dnat-map':
      return lookUp(statement, place, state, (value) => applyDnat(place, joinValue(value)));
    default:
      return endStatement(statement, place)(state);
  }
}

type Continuation = (state: PathState) => Branches;

function endStatement(
  statement: Extract<Statement, { readonly kind: 'dnat' | 'masquerade' | 'reject' | 'verdict' | 'other' }>,
  place: Place,
): Continuation {
  switch (statement.kind) {
    case 'dnat':
      return applyDnat(place, statement.to);
    case 'masquerade':
      return (state) => [{ state: { ...matched(place, state), isMasqueraded: true }, result: 'accept' }];
    case 'reject':
      return (state) => [{ state: matched(place, state), result: 'reject' }];
    case 'verdict':
      return applyVerdict(place, statement.verdict);
    case 'other':
      return (state) => [{ state: withNote(state, `not evaluated: ${printRule(place.rule)}`), result: 'next' }];
  }
}

function matched({ table, chain, rule, position }: Place, state: PathState): PathState {
  return withStep(state, {
    hook: state.hook,
    table: `${table.family} ${table.name}`,
    chain: chain.name,
    position,
    rule: textOf(rule),
  });
}

const texts = new WeakMap<Rule, string>();

function textOf(rule: Rule): string {
  const text = texts.get(rule) ?? printRule(rule);
  texts.set(rule, text);
  return text;
}

function isMatch(
  { fields, in: lookup, not = false }: Extract<Statement, { readonly kind: 'match' }>,
  { table: { sets } }: Place,
  state: PathState,
): boolean {
  if ('name' in lookup && fields.length === 1 && sets.get(lookup.name)?.flags.includes('dynamic')) {
    const [value = ''] = readField(fields[0]!, state);
    if (state.host.remembered?.get(lookup.name)?.has(value)) return !not;
  }
  const found = findByFields(fields, lookup, { state, sets });
  return found !== 'unreadable' && (found !== undefined) !== not;
}

function changeMark(mark: number, { operator, bits }: Extract<Statement, { readonly kind: 'set-mark' }>): number {
  return (operator === '|' ? mark | bits : mark ^ bits) >>> 0;
}

function remember(state: PathState, { set, field }: Extract<Statement, { readonly kind: 'update' }>): PathState {
  const [client] = readField(field, state);
  return client === undefined ? state : { ...state, remembers: [...state.remembers, { list: set, client }] };
}

// A miss ends the rule without a match; a generator may hit several elements, each with its share.
function lookUp(
  { key, map }: { readonly key: LookupKey; readonly map: Lookup },
  { table: { sets } }: Place,
  state: PathState,
  onHit: (value: string | Verdict) => Continuation,
): Branches {
  if (!isGenerator(key)) {
    const found = findByFields(key, map, { state, sets });
    return typeof found !== 'object' || found.value === undefined
      ? [{ state, result: 'next' }]
      : onHit(found.value)(state);
  }
  const shares = findByGenerator(key, map, sets);
  const missing = 1 - shares.reduce((sum, { share }) => sum + share, 0);
  return [
    ...shares.flatMap(({ element, share }) => onHit(element.value ?? '')(withShare(state, share))),
    ...(missing > 1e-9 ? [{ state: withShare(state, missing), result: 'next' } as const] : []),
  ];
}

function applyVerdict(place: Place, verdict: Verdict): Continuation {
  return (before) => {
    const state = matched(place, before);
    if (!('chain' in verdict)) {
      const accepted = verdict.kind === 'accept' ? { ...state, isAccepted: true } : state;
      return [{ state: accepted, result: verdict.kind }];
    }
    const target = place.table.chains.get(verdict.chain);
    if (target === undefined) return [{ state: withNote(state, `no chain ${verdict.chain}`), result: 'next' }];
    const branches = runChain(place.table, target, state);
    if (verdict.kind === 'jump') return branches;
    return branches.map((branch) => (branch.result === 'next' ? { ...branch, result: 'return' } : branch));
  };
}

function applyDnat(place: Place, to: string): Continuation {
  return (state) => [{ state: translateTo(matched(place, state), to), result: 'accept' }];
}

function joinValue(value: string | Verdict): string {
  const [address = '', port] = typeof value === 'string' ? value.split(' . ') : [];
  if (port === undefined) return address.includes(':') ? `[${address}]` : address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
