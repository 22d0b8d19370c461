import type { Lookup, Rule, Statement, Verdict } from './rule.ts';
import type { Chain, NamedSet } from './table.ts';

/** Names of chains and sets that something in a table points at. */
export interface References {
  readonly chains: ReadonlySet<string>;
  readonly sets: ReadonlySet<string>;
}

/** What the rules and verdict maps of a table point at. */
export function referencesOf(chains: Iterable<Chain>, sets: Iterable<NamedSet>): References {
  const found = { chains: new Set<string>(), sets: new Set<string>() };
  for (const { rules } of chains) for (const rule of rules) addRule(rule, found);
  for (const set of sets) {
    if (set.data === 'verdict') for (const { value } of set.elements.values()) addVerdict(value, found);
  }
  return found;
}

/** The set or map that a statement asks; undefined when it asks none. */
export function lookupOf(statement: Statement): Lookup | undefined {
  if (statement.kind === 'match') return statement.in;
  return statement.kind === 'vmap' || statement.kind === 'dnat-map' ? statement.map : undefined;
}

interface Found {
  readonly chains: Set<string>;
  readonly sets: Set<string>;
}

function addRule(rule: Rule, found: Found): void {
  for (const statement of rule.statements) {
    if (statement.kind === 'update') found.sets.add(statement.set);
    if (statement.kind === 'verdict') addVerdict(statement.verdict, found);
    const lookup = lookupOf(statement);
    if (lookup === undefined) continue;
    if ('name' in lookup) found.sets.add(lookup.name);
    else for (const { value } of lookup.elements) addVerdict(value, found);
  }
}

function addVerdict(value: string | Verdict | undefined, found: Found): void {
  if (typeof value === 'object' && 'chain' in value) found.chains.add(value.chain);
}
