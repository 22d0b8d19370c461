import type { DeleteOptions, ListOptions, ObjectKey, WatchEvent } from '../../src/kube/client.ts';
import { matchesFields, parseFieldSelector } from '../../src/kube/field-selector.ts';
import type { Pod } from '../../src/kube/generated/types.ts';
import { matchesRequirements, parseLabelSelector } from '../../src/kube/label-selector.ts';
import { apiVersionOf, type KubeObject, type ResourceType } from '../../src/kube/resources.ts';
import { ApiStatusError } from '../../src/kube/status.ts';
import { isDeepEqual, type Plain } from './json.ts';

/** One open watch. */
export interface Watcher {
  readonly matches: (object: KubeObject) => boolean;
  readonly type: ResourceType;
  readonly deliver: (event: WatchEvent) => void;
  readonly end: (cause?: unknown) => void;
}

/** One write as watches see it. */
export interface Change {
  readonly type: ResourceType;
  readonly revision: number;
  readonly previous: KubeObject | undefined;
  readonly current: KubeObject | undefined;
}

/** Kinds that have no status subresource. */
export const withoutStatus = new Set([
  'configmaps',
  'secrets',
  'serviceaccounts',
  'events',
  'endpoints',
  'endpointslices',
  'leases',
  'controllerrevisions',
  'ipaddresses',
]);

/** What an update makes of the stored object: the parts that its path may change. */
export function merged(
  type: ResourceType,
  current: Plain & KubeObject,
  wanted: Plain & KubeObject,
  subresource: string | undefined,
): KubeObject {
  if (subresource === 'status') return { ...current, status: wanted['status'] } as KubeObject;
  const { uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds, generation } = current.metadata ?? {};
  const kept = { uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds, generation };
  const next: Plain = { ...wanted, ...typeMeta(type) };
  if (!withoutStatus.has(type.resource)) {
    if (current['status'] === undefined) delete next['status'];
    else next['status'] = current['status'];
  }
  const changed = !isDeepEqual(current['spec'], next['spec']);
  return { ...next, metadata: { ...wanted.metadata, ...kept, generation: (generation ?? 1) + (changed ? 1 : 0) } };
}

/** Tells a watcher of a change, in the terms of its selection. */
export function tell(watcher: Watcher, { type, previous, current, revision }: Change): void {
  if (watcher.type.resource !== type.resource || watcher.type.group !== type.group) return;
  const before = previous !== undefined && watcher.matches(previous);
  const after = current !== undefined && watcher.matches(current);
  if (after) watcher.deliver({ type: before ? 'MODIFIED' : 'ADDED', object: current });
  else if (before) {
    const metadata = { ...previous.metadata, resourceVersion: String(revision) };
    watcher.deliver({ type: 'DELETED', object: { ...(current ?? previous), metadata } });
  }
}

/** True for the objects that a list or watch with these options shows. */
export function selection({ namespace, labelSelector, fieldSelector }: ListOptions): (object: KubeObject) => boolean {
  const labels = parseLabelSelector(labelSelector ?? '');
  const fields = parseFieldSelector(fieldSelector ?? '');
  return (object) =>
    (namespace === undefined || object.metadata?.namespace === namespace) &&
    matchesRequirements(labels, object.metadata?.labels) &&
    matchesFields(fields, object);
}

/** Seconds that a pod has to end. */
export function podGrace(pod: Pod, options: DeleteOptions): number {
  const finished = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
  if (!pod.spec?.nodeName || finished) return 0;
  return options.gracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30;
}

/** apiVersion and kind of a type. */
export const typeMeta = (type: ResourceType) => ({ apiVersion: apiVersionOf(type), kind: type.kind });
/** `namespace/name`, as keyOf prints it. */
export const keyText = ({ namespace, name }: ObjectKey): string => (namespace ? `${namespace}/${name}` : name);
/** The resource as error texts name it: `deployments.apps`. */
export const qualified = (type: ResourceType): string =>
  type.group ? `${type.resource}.${type.group}` : type.resource;
/** 409 AlreadyExists. */
export const alreadyExists = (type: ResourceType, name: string): ApiStatusError =>
  new ApiStatusError('AlreadyExists', `${qualified(type)} "${name}" already exists`, { name, kind: type.resource });
/** 409 Conflict. */
export const conflict = (type: ResourceType, name: string, why: string): ApiStatusError =>
  new ApiStatusError('Conflict', `Operation cannot be fulfilled on ${qualified(type)} "${name}": ${why}`, { name });
