import type { Binding, Pod } from '../../kube/generated/types.ts';
import { withMetadata } from '../machinery/api-object.ts';
import { badRequest, conflict, invalidObject } from '../machinery/errors.ts';
import { type Machinery, type RequestContext, timestamp } from '../machinery/machinery.ts';
import type { ServedResource } from '../machinery/served-resource.ts';
import { updateObject } from '../machinery/update-object.ts';
import { notSupported, required } from '../validation/field-errors.ts';

export interface BindingRequest {
  readonly pods: ServedResource;
  readonly namespace: string;
  readonly name: string;
  readonly binding: Binding;
  readonly context: RequestContext;
}

/** Puts a pod on a node: sets spec.nodeName and the condition PodScheduled. 409 when it is on one already. */
export async function bindPod(
  machinery: Machinery,
  { pods, namespace, name, binding, context }: BindingRequest,
): Promise<void> {
  validateBinding(binding, name);
  await updateObject(machinery, {
    resource: pods,
    subresource: 'binding',
    namespace,
    name,
    context,
    want: (live) => ({ object: bound(live as Pod, binding, timestamp(machinery.clock)), tracked: false }),
  });
}

function validateBinding({ metadata, target }: Binding, name: string): void {
  if (metadata?.name && metadata.name !== name) throw badRequest('name in URL does not match name in Binding object');
  const kind = target?.kind ?? '';
  const causes = [
    ...(kind === '' || kind === 'Node' ? [] : [notSupported('target.kind', kind, ['Node', '<empty>'])]),
    ...(target?.name ? [] : [required('target.name')]),
  ];
  if (causes.length > 0) throw invalidObject({ group: '', kind: 'Binding' }, metadata?.name ?? '', causes);
}

function bound(pod: Pod, { metadata, target }: Binding, now: string): Pod {
  const { name = '', uid, resourceVersion, annotations } = pod.metadata ?? {};
  const fail = (text: string) => conflict({ group: '', resource: 'pods/binding' }, name, text);
  if (metadata?.uid && metadata.uid !== uid) {
    throw fail(`Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${uid}`);
  }
  if (metadata?.resourceVersion && metadata.resourceVersion !== resourceVersion) {
    throw fail(
      `Precondition failed: ResourceVersion in precondition: ${metadata.resourceVersion}, ResourceVersion in object meta: ${resourceVersion}`,
    );
  }
  if (pod.metadata?.deletionTimestamp !== undefined)
    throw fail(`pod ${name} is being deleted, cannot be assigned to a host`);
  if (pod.spec?.nodeName) throw fail(`pod ${name} is already assigned to node "${pod.spec.nodeName}"`);
  if (pod.spec?.schedulingGates?.length) throw fail(`pod ${name} has non-empty .spec.schedulingGates`);
  const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== 'PodScheduled');
  const scheduled = {
    type: 'PodScheduled',
    status: 'True',
    lastProbeTime: null as unknown as undefined,
    lastTransitionTime: now,
  };
  const annotated = metadata?.annotations
    ? withMetadata(pod, { annotations: { ...annotations, ...metadata.annotations } })
    : pod;
  return {
    ...annotated,
    spec: { ...pod.spec!, nodeName: target.name },
    status: { ...pod.status, conditions: [...others, scheduled] },
  };
}
