import type { Element } from '../../netfilter/nftables/rule.ts';

interface Claim {
  readonly owner: string;
  readonly element: Element;
  /** Claims of others to the same key, by owner; nearly no element has any. */
  readonly next?: Claim | undefined;
}

/** What stood under a key before a claim came or went, and what stands there now. */
export interface Standing {
  readonly before: Element | undefined;
  readonly after: Element | undefined;
}

/**
 * Which ServicePorts want which element of a shared set: an address or node port may be wanted by several, and the first of
 * them by key gets it, whatever the order in which they came.
 */
export class ElementClaims {
  readonly #sets = new Map<string, Map<string, Claim>>();

  add(set: string, element: Element, owner: string): Standing {
    let ofSet = this.#sets.get(set);
    if (ofSet === undefined) {
      ofSet = new Map();
      this.#sets.set(set, ofSet);
    }
    const before = ofSet.get(element.key);
    const after = insert({ owner, element }, before);
    ofSet.set(element.key, after);
    return { before: before?.element, after: after.element };
  }

  remove(set: string, key: string, owner: string): Standing {
    const ofSet = this.#sets.get(set);
    const before = ofSet?.get(key);
    const after = without(owner, before);
    if (after === undefined) ofSet?.delete(key);
    else ofSet?.set(key, after);
    return { before: before?.element, after: after?.element };
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
