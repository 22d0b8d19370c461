import { TowtankError } from '../../errors/towtank-error.ts';
import { printElement } from './print-rule.ts';
import type { Chain, NamedSet, Table } from './table.ts';
import { referencesOf } from './table-references.ts';
import type { Operation, Transaction } from './transaction.ts';

/**
 * What the kernel would make of a table (undefined: there is none) by this transaction. Throws ERR_PARSE_RULES where the
 * kernel refuses: absent or still referenced objects, elements that exist with another value.
 */
export function applyTransaction(table: Table | undefined, transaction: Transaction): Table | undefined {
  let draft = table === undefined ? undefined : draftOf(table);
  for (const operation of transaction.operations) {
    if (operation.kind === 'add-table') draft ??= { comment: operation.comment, chains: new Map(), sets: new Map() };
    else if (draft === undefined) throw refusal(`no table ${transaction.table}`);
    else if (operation.kind === 'delete-table') draft = undefined;
    else applyToDraft(draft, operation);
  }
  if (draft === undefined) return undefined;
  checkReferences(draft);
  const { comment, chains, sets } = draft;
  const { family, table: name } = transaction;
  return { family, name, ...(comment === undefined ? {} : { comment }), chains, sets };
}

interface Draft {
  readonly comment: string | undefined;
  readonly chains: Map<string, Chain>;
  readonly sets: Map<string, NamedSet>;
}

type Kind = Exclude<Operation['kind'], 'add-table' | 'delete-table'>;
type OperationOf<K extends Operation['kind']> = Extract<Operation, { readonly kind: K }>;

const appliers: { readonly [K in Kind]: (draft: Draft, operation: OperationOf<K>) => void } = {
  'add-chain': (draft, { chain }) => addDeclared(draft.chains, { ...chain, rules: [] }, 'rules'),
  'add-set': (draft, { set }) => addDeclared(draft.sets, { ...set, elements: new Map() }, 'elements'),
  'flush-chain': (draft, { chain }) => {
    draft.chains.set(chain, { ...present(draft.chains, chain), rules: [] });
  },
  'flush-set': (draft, { set }) => {
    draft.sets.set(set.name, { ...present(draft.sets, set.name), elements: new Map() });
  },
  'add-rule': (draft, operation) => {
    const chain = present(draft.chains, operation.chain);
    draft.chains.set(chain.name, { ...chain, rules: [...chain.rules, operation.rule] });
  },
  'insert-rules': (draft, operation) => {
    const chain = present(draft.chains, operation.chain);
    draft.chains.set(chain.name, { ...chain, rules: [...operation.rules, ...chain.rules] });
  },
  'delete-rules-behind': (draft, operation) => {
    const chain = present(draft.chains, operation.chain);
    draft.chains.set(chain.name, { ...chain, rules: chain.rules.slice(0, operation.count) });
  },
  'delete-chain': (draft, operation) => deleteChain(draft, present(draft.chains, operation.chain)),
  'delete-set': (draft, operation) => deleteSet(draft, present(draft.sets, operation.set)),
  'add-elements': (draft, operation) => addElements(draft, operation),
  'delete-elements': (draft, operation) => deleteElements(draft, operation),
};

function applyToDraft(draft: Draft, operation: OperationOf<Kind>): void {
  const apply = appliers[operation.kind] as (draft: Draft, operation: OperationOf<Kind>) => void;
  apply(draft, operation);
}

function draftOf(table: Table): Draft {
  return { comment: table.comment, chains: new Map(table.chains), sets: new Map(table.sets) };
}

function addDeclared<T extends { readonly name: string }>(map: Map<string, T>, item: T, content: keyof T): void {
  const old = map.get(item.name);
  const declaration = (value: T): string => JSON.stringify({ ...value, [content]: undefined });
  if (old === undefined) map.set(item.name, item);
  else if (declaration(old) !== declaration(item)) throw refusal(`${item.name} exists with another declaration`);
}

function addElements(draft: Draft, { set, elements: added }: OperationOf<'add-elements'>): void {
  const old = present(draft.sets, set.name);
  const elements = new Map(old.elements);
  for (const element of added) {
    const existing = elements.get(element.key);
    if (existing !== undefined && printElement(existing) !== printElement(element)) {
      throw refusal(`element ${element.key} of ${set.name} exists with another value`);
    }
    elements.set(element.key, element);
  }
  draft.sets.set(set.name, { ...old, elements });
}

function deleteElements(draft: Draft, { set, elements: removed }: OperationOf<'delete-elements'>): void {
  const old = present(draft.sets, set.name);
  const elements = new Map(old.elements);
  for (const { key } of removed) {
    if (!elements.delete(key)) throw refusal(`no element ${key} in ${set.name}`);
  }
  draft.sets.set(set.name, { ...old, elements });
}

function deleteChain(draft: Draft, chain: Chain): void {
  if (chain.rules.length > 0) throw refusal(`chain ${chain.name} has rules`);
  draft.chains.delete(chain.name);
  if (referencesIn(draft).chains.has(chain.name)) throw refusal(`chain ${chain.name} is in use`);
}

function deleteSet(draft: Draft, set: NamedSet): void {
  draft.sets.delete(set.name);
  if (referencesIn(draft).sets.has(set.name)) throw refusal(`set ${set.name} is in use`);
}

function checkReferences(draft: Draft): void {
  const { chains, sets } = referencesIn(draft);
  for (const chain of chains) if (!draft.chains.has(chain)) throw refusal(`no chain ${chain}`);
  for (const set of sets) if (!draft.sets.has(set)) throw refusal(`no set ${set}`);
}

const referencesIn = (draft: Draft): ReturnType<typeof referencesOf> =>
  referencesOf(draft.chains.values(), draft.sets.values());

function present<T>(map: ReadonlyMap<string, T>, name: string): T {
  const item = map.get(name);
  if (item === undefined) throw refusal(`no ${name}`);
  return item;
}

function refusal(message: string): TowtankError {
  return new TowtankError({ code: 'ERR_PARSE_RULES', message: `nft transaction refused: ${message}` });
}
