import type { Element, Rule } from './rule.ts';
import type { ChainDeclaration, SetDeclaration, TableFamily } from './table.ts';

/** One change of a table. `add-...` of what exists with the same declaration changes nothing; deleting what is absent fails. */
export type Operation =
  | { readonly kind: 'add-table'; readonly comment?: string | undefined }
  | { readonly kind: 'delete-table' }
  | { readonly kind: 'add-chain'; readonly chain: ChainDeclaration }
  | { readonly kind: 'flush-chain'; readonly chain: string }
  | { readonly kind: 'delete-chain'; readonly chain: string }
  | { readonly kind: 'add-rule'; readonly chain: string; readonly rule: Rule }
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
