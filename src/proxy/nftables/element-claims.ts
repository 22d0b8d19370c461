import type { Element } from '../../netfilter/nftables/rule.ts';

interface Claim {
  readonly owner: string;
  readonly element: Element;
  /** Claims of others to the same key, by owner; nearly no element has any. */
  readonly next?: Claim | undefined;
}

/**
 * Which ServicePorts want which element of a shared set: an address or node port may be wanted by several, and the first of
 * them by key gets it, whatever the order in which they came.
 */
export class ElementClaims {
  readonly #sets = new Map<string, Map<string, Claim>>();

  /** The element that stands under this key. */
  get(set: string, key: string): Element | undefined {
    return this.#sets.get(set)?.get(key)?.element;
  }

  add(set: string, element: Element, owner: string): void {
    const ofSet = this.#sets.get(set) ?? new Map<string, Claim>();
    this.#sets.set(set, ofSet);
    ofSet.set(element.key, insert({ owner, element }, ofSet.get(element.key)));
  }

  remove(set: string, key: string, owner: string): void {
    const ofSet = this.#sets.get(set);
    const rest = without(owner, ofSet?.get(key));
    if (rest === undefined) ofSet?.delete(key);
    else ofSet?.set(key, rest);
  }

  /** Everything that stands in a set, by key. */
  elementsOf(set: string): ReadonlyMap<string, Element> {
    const standing = new Map<string, Element>();
    for (const [key, { element }] of this.#sets.get(set) ?? []) standing.set(key, element);
    return standing;
  }
}

function insert(claim: Claim, list: Claim | undefined): Claim {
  if (list === undefined || claim.owner < list.owner) return list === undefined ? claim : { ...claim, next: list };
  return { ...list, next: insert(claim, list.next) };
}

function without(owner: string, list: Claim | undefined): Claim | undefined {
  if (list === undefined || list.owner === owner) return list?.next;
  return { ...list, next: without(owner, list.next) };
}
