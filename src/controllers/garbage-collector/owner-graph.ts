import type { OwnerReference } from '../../kube/generated/types.ts';
import type { KubeObject, ResourceType } from '../../kube/resources.ts';

/** An object and its kind. */
export interface GraphNode {
  readonly type: ResourceType;
  readonly object: KubeObject;
}

/** Who owns whom, over all kinds, by uid. */
export class OwnerGraph {
  readonly #nodes = new Map<string, GraphNode>();
  readonly #dependents = new Map<string, Set<string>>();

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid);
  }

  /** The objects that name `uid` as an owner. */
  dependentsOf(uid: string): readonly GraphNode[] {
    return [...(this.#dependents.get(uid) ?? [])].flatMap((dependent) => this.#nodes.get(dependent) ?? []);
  }

  /** True when the reference leads to an object that is here and that may own things in this namespace. */
  has(reference: OwnerReference, namespace: string | undefined): boolean {
    const owner = this.#nodes.get(reference.uid);
    return owner !== undefined && mayOwnIn(owner.object, namespace);
  }

  /** Takes note of a change; `current` is undefined when the object is gone. */
  apply(type: ResourceType, previous: KubeObject | undefined, current: KubeObject | undefined): void {
    if (previous !== undefined) this.#remove(previous);
    const uid = current?.metadata?.uid;
    if (current === undefined || uid === undefined) return;
    this.#nodes.set(uid, { type, object: current });
    for (const owner of ownerUids(current)) {
      const dependents = this.#dependents.get(owner) ?? new Set();
      this.#dependents.set(owner, dependents.add(uid));
    }
  }

  #remove(object: KubeObject): void {
    const uid = object.metadata?.uid ?? '';
    this.#nodes.delete(uid);
    for (const owner of ownerUids(object)) {
      const dependents = this.#dependents.get(owner);
      if (dependents?.delete(uid) && dependents.size === 0) this.#dependents.delete(owner);
    }
  }
}

/** Uids of all owners of an object. */
export function ownerUids({ metadata }: KubeObject): readonly string[] {
  return (metadata?.ownerReferences ?? []).map(({ uid }) => uid);
}

// An owner is of the same namespace or of none.
function mayOwnIn({ metadata }: KubeObject, namespace: string | undefined): boolean {
  return !metadata?.namespace || metadata.namespace === namespace;
}
