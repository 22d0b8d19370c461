import { printElement, printRule } from './print-rule.ts';
import type { Element } from './rule.ts';
import type { Chain, NamedSet, SetDeclaration, Table } from './table.ts';
import type { Operation } from './transaction.ts';

/** The operations that make a table from nothing, whatever it was before. */
export function replaceTable(table: Table): Operation[] {
  return [{ kind: 'add-table' }, { kind: 'delete-table' }, ...createTable(table)];
}

/**
 * The operations that turn `before` into `after`, down to single elements; none when they are equal. Where a base chain or
 * the declaration of a set differs, which the kernel cannot change in place, the whole table is replaced.
 */
export function diffTables(before: Table | undefined, after: Table): Operation[] {
  if (before === undefined) return createTable(after);
  if (!canPatch(before, after)) return replaceTable(after);
  const { added, changed, removed } = compareNamed(before.chains, after.chains, hasSameRules);
  const sets = compareNamed(before.sets, after.sets, hasSameElements);
  return [
    ...sets.added.map(addSet),
    ...added.map(addChain),
    ...[...changed, ...removed].map(({ name }): Operation => ({ kind: 'flush-chain', chain: name })),
    ...sets.changed.flatMap((set) => removeElements(before.sets.get(set.name), set)),
    ...sets.removed.map((set): Operation => ({ kind: 'flush-set', set: declarationOf(set) })),
    ...[...sets.changed, ...sets.added].flatMap((set) => addElements(before.sets.get(set.name), set)),
    ...[...added, ...changed].flatMap(addRules),
    ...removed.map(({ name }): Operation => ({ kind: 'delete-chain', chain: name })),
    ...sets.removed.map(({ name }): Operation => ({ kind: 'delete-set', set: name })),
  ];
}

/** The operations that make a table where there is none. */
export function createTable(table: Table, options: { readonly isOwned?: boolean } = {}): Operation[] {
  const sets = [...table.sets.values()];
  const chains = [...table.chains.values()];
  return [
    { kind: 'add-table', ...(table.comment === undefined ? {} : { comment: table.comment }), ...options },
    ...sets.map(addSet),
    ...chains.map(addChain),
    ...sets.flatMap((set) => addElements(undefined, set)),
    ...chains.flatMap(addRules),
  ];
}

function canPatch(before: Table, after: Table): boolean {
  if (before.family !== after.family || before.name !== after.name || before.comment !== after.comment) return false;
  const sameChains = [...after.chains.values()].every((chain) => {
    const old = before.chains.get(chain.name);
    return old === undefined || (sameText(old.hook, chain.hook) && old.comment === chain.comment);
  });
  const keptHooks = [...before.chains.values()].every(({ name, hook }) => hook === undefined || after.chains.has(name));
  const sameSets = [...after.sets.values()].every((set) => {
    const old = before.sets.get(set.name);
    return old === undefined || sameText(declarationOf(old), declarationOf(set));
  });
  return sameChains && keptHooks && sameSets;
}

const sameText = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

interface Comparison<T> {
  readonly added: readonly T[];
  readonly changed: readonly T[];
  readonly removed: readonly T[];
}

function compareNamed<T extends { readonly name: string }>(
  before: ReadonlyMap<string, T>,
  after: ReadonlyMap<string, T>,
  isSame: (a: T, b: T) => boolean,
): Comparison<T> {
  const added: T[] = [];
  const changed: T[] = [];
  for (const item of after.values()) {
    const old = before.get(item.name);
    if (old === undefined) added.push(item);
    else if (!isSame(old, item)) changed.push(item);
  }
  return { added, changed, removed: [...before.values()].filter(({ name }) => !after.has(name)) };
}

function hasSameRules(a: Chain, b: Chain): boolean {
  if (a === b) return true;
  return a.rules.length === b.rules.length && a.rules.map(printRule).join('\n') === b.rules.map(printRule).join('\n');
}

function hasSameElements(a: NamedSet, b: NamedSet): boolean {
  if (a === b) return true;
  return a.elements.size === b.elements.size && missingFrom(a, b).length === 0;
}

// Elements of `b` that `a` lacks or has otherwise.
function missingFrom(a: NamedSet | undefined, b: NamedSet): Element[] {
  return [...b.elements.values()].filter((element) => {
    const old = a?.elements.get(element.key);
    return old === undefined || (old !== element && printElement(old) !== printElement(element));
  });
}

function addElements(before: NamedSet | undefined, after: NamedSet): Operation[] {
  const elements = missingFrom(before, after);
  return elements.length === 0 ? [] : [{ kind: 'add-elements', set: declarationOf(after), elements }];
}

function removeElements(before: NamedSet | undefined, after: NamedSet): Operation[] {
  if (before === undefined) return [];
  const elements = missingFrom(after, before);
  return elements.length === 0 ? [] : [{ kind: 'delete-elements', set: declarationOf(after), elements }];
}

const addSet = (set: NamedSet): Operation => ({ kind: 'add-set', set: declarationOf(set) });

function addChain({ rules: _, ...chain }: Chain): Operation {
  return { kind: 'add-chain', chain };
}

function addRules({ name, rules }: Chain): Operation[] {
  return rules.map((rule) => ({ kind: 'add-rule', chain: name, rule }));
}

function declarationOf({ name, key, data, flags, timeoutSeconds, comment }: NamedSet): SetDeclaration {
  return {
    name,
    key,
    ...(data === undefined ? {} : { data }),
    flags,
    ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
    ...(comment === undefined ? {} : { comment }),
  };
}
