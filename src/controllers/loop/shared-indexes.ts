import type { Pod, ReplicaSet } from '../../kube/generated/types.ts';
import type { SharedInformers } from '../../kube/informers.ts';
import { controllerOf } from '../../kube/owner-references.ts';
import { type KubeObject, resources } from '../../kube/resources.ts';
import { ObjectIndex } from './object-index.ts';

/** Indexes that several controllers look things up in. */
export interface SharedIndexes {
  /** Pods by the uid of their controller; those without one by `orphans of NAMESPACE`. */
  readonly podsByController: ObjectIndex<Pod>;
  /** Pods by `NAMESPACE/KEY=VALUE`, one entry for each label. */
  readonly podsByLabel: ObjectIndex<Pod>;
  readonly podsByNode: ObjectIndex<Pod>;
  readonly replicaSetsByController: ObjectIndex<ReplicaSet>;
}

export function createSharedIndexes(informers: SharedInformers): SharedIndexes {
  const pods = informers.for(resources.pods);
  return {
    podsByController: new ObjectIndex(pods, (pod) => [controllerKeyOf(pod)]),
    podsByLabel: new ObjectIndex(pods, labelKeysOf),
    podsByNode: new ObjectIndex(pods, ({ spec }) => (spec?.nodeName ? [spec.nodeName] : [])),
    replicaSetsByController: new ObjectIndex(informers.for(resources.replicaSets), (set) => [controllerKeyOf(set)]),
  };
}

/** The index value of objects in a namespace that nobody controls. */
export function orphansOf(namespace: string | undefined): string {
  return `orphans of ${namespace ?? ''}`;
}

function controllerKeyOf(object: KubeObject): string {
  return controllerOf(object)?.uid ?? orphansOf(object.metadata?.namespace);
}

/** The index values of an object's labels. */
export function labelKeysOf({ metadata }: KubeObject): readonly string[] {
  return Object.entries(metadata?.labels ?? {}).map(([key, value]) => labelKey(metadata?.namespace, key, value));
}

export function labelKey(namespace: string | undefined, key: string, value: string): string {
  return `${namespace ?? ''}/${key}=${value}`;
}
