import type { Namespace } from '../../kube/generated/types.ts';
import { type KubeObject, type ResourceType, resources } from '../../kube/resources.ts';
import { isSemanticallyEqual } from '../../kube/semantic-equality.ts';
import { isReason } from '../../kube/status.ts';
import type { ControllerContext } from '../loop/controller-context.ts';
import { ControllerLoop } from '../loop/controller-loop.ts';

/** Gives every namespace its ServiceAccount `default`. */
export function startServiceAccountController(context: ControllerContext): Disposable {
  return startPerNamespace(context, {
    name: 'serviceaccount',
    type: resources.serviceAccounts,
    build: (namespace) => ({ metadata: { name: 'default', namespace } }),
  });
}

/** Publishes the cluster's CA in every namespace as ConfigMap `kube-root-ca.crt`. */
export function startRootCAPublisher(context: ControllerContext, caCertificate: string): Disposable {
  const description =
    'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. ' +
    'No other usage is guaranteed across distributions of Kubernetes clusters.';
  return startPerNamespace(context, {
    name: 'root-ca-certificate-publisher',
    type: resources.configMaps,
    build: (namespace) => ({
      metadata: { name: 'kube-root-ca.crt', namespace, annotations: { 'kubernetes.io/description': description } },
      data: { 'ca.crt': caCertificate },
    }),
    isCurrent: (existing, wanted) => isSemanticallyEqual(existing.data, wanted.data),
  });
}

interface PerNamespace<T extends KubeObject> {
  readonly name: string;
  readonly type: ResourceType<T>;
  readonly build: (namespace: string) => T;
  /** False when an existing object is to be overwritten; without it any object of the name will do. */
  readonly isCurrent?: (existing: T, wanted: T) => boolean;
}

function startPerNamespace<T extends KubeObject>(
  context: ControllerContext,
  { name, type, build, isCurrent }: PerNamespace<T>,
): Disposable {
  const { client, informers } = context;
  const namespaces = informers.for(resources.namespaces);
  const objects = informers.for(type);
  const objectName = build('').metadata?.name ?? '';
  const loop: ControllerLoop = new ControllerLoop(context, {
    name,
    reconcile: async (namespace) => {
      if (!isActive(namespaces.get(namespace))) return loop.fence.forget(namespace);
      const existing = objects.get(`${namespace}/${objectName}`);
      const wanted = build(namespace);
      if (existing !== undefined && (isCurrent === undefined || isCurrent(existing, wanted))) return;
      const written = await (existing === undefined
        ? createUnlessThere(context, type, wanted)
        : client.update(type, wanted));
      if (written !== undefined) loop.fence.expectWritten(namespace, objects, written);
    },
  }).watch(namespaces, ({ metadata }) => [metadata?.name ?? '']);
  // A namespace gets its object back; changes of others of the kind are of no interest.
  objects.onChange(({ current, previous }) => {
    const { metadata } = (current ?? previous)!;
    if (metadata?.name === objectName) loop.enqueue(metadata.namespace ?? '');
  });
  return loop;
}

async function createUnlessThere<T extends KubeObject>(
  { client }: ControllerContext,
  type: ResourceType<T>,
  object: T,
): Promise<T | undefined> {
  try {
    return await client.create(type, object);
  } catch (error) {
    if (isReason(error, 'AlreadyExists')) return undefined;
    throw error;
  }
}

function isActive(namespace: Namespace | undefined): boolean {
  return namespace !== undefined && namespace.metadata?.deletionTimestamp === undefined;
}
