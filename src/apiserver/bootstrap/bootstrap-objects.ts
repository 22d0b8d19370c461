import type { Namespace, PriorityClass } from '../../kube/generated/types.ts';
import type { KubeObject, ResourceType } from '../../kube/resources.ts';
import { resources } from '../../kube/resources.ts';
import { StoreConflictError, type WriteOperation } from '../../store/store.ts';
import { priorityClasses } from '../kinds/pod-admission.ts';
import { withMetadata } from '../machinery/api-object.ts';
import { type Machinery, timestamp } from '../machinery/machinery.ts';
import { objectKey, prefixOf } from '../machinery/object-keys.ts';
import { encodeObject } from '../machinery/stored-object.ts';

/** An object that the server makes sure of at its start. */
export interface BootstrapObject {
  readonly type: ResourceType;
  readonly object: KubeObject;
}

/** Namespaces that every cluster has. */
export const systemNamespaces: readonly BootstrapObject[] = [
  'default',
  'kube-system',
  'kube-public',
  'kube-node-lease',
].map((name) => {
  const namespace: Namespace = {
    metadata: { name, labels: { 'kubernetes.io/metadata.name': name } },
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  };
  return { type: resources.namespaces, object: namespace };
});

/** The two priority classes of system pods. */
export const systemPriorityClasses: readonly BootstrapObject[] = [
  [
    'system-cluster-critical',
    2_000_000_000,
    'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
  ],
  [
    'system-node-critical',
    2_000_001_000,
    'Used for system critical pods that must not be moved from their current node.',
  ],
].map(([name, value, description]) => {
  const object = {
    metadata: { name, generation: 1 },
    value,
    description,
    preemptionPolicy: 'PreemptLowerPriority',
  } as PriorityClass;
  return { type: priorityClasses, object };
});

// Transactions of etcd have at most 128 operations.
const BATCH = 100;

/** Writes those of the objects that are not there yet; what is there is left as it is. */
export async function ensureObjects(machinery: Machinery, objects: readonly BootstrapObject[]): Promise<void> {
  const wait = machinery.store.barrier();
  if (wait) await wait;
  for (;;) {
    const operations = objects.flatMap((wanted) => creation(machinery, wanted) ?? []);
    if (operations.length === 0) return;
    try {
      await machinery.store.commit(operations.slice(0, BATCH));
    } catch (error) {
      // Another server on the same store made one of them: look again.
      if (!(error instanceof StoreConflictError)) throw error;
    }
  }
}

function creation({ store, clock }: Machinery, { type, object }: BootstrapObject): WriteOperation | undefined {
  const { name = '', namespace } = object.metadata ?? {};
  const key = objectKey(prefixOf(type), type.namespaced ? namespace : undefined, name);
  if (store.get(key)) return undefined;
  const made = withMetadata(object, { uid: crypto.randomUUID(), creationTimestamp: timestamp(clock) });
  return { key, value: encodeObject(made, type), expect: 0 };
}
