import type { Element, Rule } from './rule.ts';
import type { ChainDeclaration, SetDeclaration, TableFamily } from './table.ts';

/** One change of a table. `add-...` of what exists with the same declaration changes nothing; deleting what is absent fails. */
export type Operation =
  /** An owned table goes with the socket that made it, and nobody else may change it. */
  | { readonly kind: 'add-table'; readonly comment?: string | undefined; readonly isOwned?: boolean }
  | { readonly kind: 'delete-table' }
  | { readonly kind: 'add-chain'; readonly chain: ChainDeclaration }
  | { readonly kind: 'flush-chain'; readonly chain: string }
  | { readonly kind: 'delete-chain'; readonly chain: string }
  | { readonly kind: 'add-rule'; readonly chain: string; readonly rule: Rule }
  /** Puts rules before those that a chain has, in this order. */
  | { readonly kind: 'insert-rules'; readonly chain: string; readonly rules: readonly Rule[] }
  /** Deletes all but the first so many rules of a chain. The nft program cannot: there are no numbers of rules in its language. */
  | { readonly kind: 'delete-rules-behind'; readonly chain: string; readonly count: number }
  | { readonly kind: 'add-set'; readonly set: SetDeclaration }
  | { readonly kind: 'flush-set'; readonly set: SetDeclaration }
  | { readonly kind: 'delete-set'; readonly set: string }
  | { readonly kind: 'add-elements'; readonly set: SetDeclaration; readonly elements: readonly Element[] }
  | { readonly kind: 'delete-elements'; readonly set: SetDeclaration; readonly elements: readonly Element[] };

/** Changes of one table that the kernel makes all or none of, in this order. */
export interface Transaction {
  readonly family: TableFamily;
  readonly table: string;
  readonly operations: readonly Operation[];
}
