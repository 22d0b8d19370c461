import type { Operation } from '../../netfilter/nftables/transaction.ts';

/** How many chains, sets, rules and elements a transaction adds, and how many chains, sets and elements it takes away. */
export function countObjects(operations: readonly Operation[]): { readonly added: number; readonly removed: number } {
  let added = 0;
  let removed = 0;
  for (const operation of operations) {
    switch (operation.kind) {
      case 'add-chain':
      case 'add-set':
      case 'add-rule':
        added++;
        break;
      case 'add-elements':
        added += operation.elements.length;
        break;
      case 'delete-chain':
      case 'delete-set':
        removed++;
        break;
      case 'delete-elements':
        removed += operation.elements.length;
        break;
      default:
        break;
    }
  }
  return { added, removed };
}
