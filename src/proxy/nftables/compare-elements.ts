import { printVerdict } from '../../netfilter/nftables/print-rule.ts';
import type { Element } from '../../netfilter/nftables/rule.ts';
import type { ElementChanges, SharedElement } from './build-service-chain.ts';

/** Compares the elements that one ServicePort wants before and after a change; most of them stay. */
export function compareElements(before: readonly SharedElement[], after: readonly SharedElement[]): ElementChanges {
  const added: SharedElement[] = [];
  const old = new Map<string, SharedElement>();
  // Nearly all stand where they stood; texts are only made of the others.
  const moved = after.filter((shared, index) => !isSameShared(shared, before[index]));
  for (let index = 0; index < before.length; index++) {
    const shared = before[index]!;
    if (!isSameShared(shared, after[index])) old.set(textOf(shared), shared);
  }
  for (const shared of moved) {
    if (!old.delete(textOf(shared))) added.push(shared);
  }
  return { added, removed: [...old.values()] };
}

function isSameShared(a: SharedElement, b: SharedElement | undefined): boolean {
  return b !== undefined && a.set === b.set && a.element.key === b.element.key && isSameElement(a.element, b.element);
}

/** True for elements of one key that mean the same. */
export function isSameElement(a: Element, b: Element): boolean {
  return a === b || (a.comment === b.comment && (a.value === b.value || valueText(a) === valueText(b)));
}

function textOf({ set, element }: SharedElement): string {
  return `${set} ${element.key} ${valueText(element)} ${element.comment ?? ''}`;
}

function valueText({ value }: Element): string {
  if (value === undefined) return '';
  return typeof value === 'string' ? value : printVerdict(value);
}
