import { type Fields, fill, fillPointer, isZero, type SetDefaults, structAt, structsAt } from './fill.ts';

function service(struct: Fields): void {
  const spec = structAt(struct, 'spec');
  fill(spec, 'sessionAffinity', 'None');
  defaultSessionAffinity(spec);
  fill(spec, 'type', 'ClusterIP');
  for (const port of structsAt(spec, 'ports')) {
    fill(port, 'protocol', 'TCP');
    fill(port, 'targetPort', port['port']);
  }
  const type = spec['type'] as string;
  const external =
    type === 'NodePort' || type === 'LoadBalancer' || (type === 'ClusterIP' && !isZero(spec['externalIPs']));
  if (external) fill(spec, 'externalTrafficPolicy', 'Cluster');
  if (['NodePort', 'LoadBalancer', 'ClusterIP'].includes(type)) fillPointer(spec, 'internalTrafficPolicy', 'Cluster');
  if (type === 'LoadBalancer') defaultLoadBalancer(struct, spec);
}

function defaultSessionAffinity(spec: Fields): void {
  if (spec['sessionAffinity'] === 'None') delete spec['sessionAffinityConfig'];
  if (spec['sessionAffinity'] !== 'ClientIP') return;
  const config = spec['sessionAffinityConfig'] as { clientIP?: { timeoutSeconds?: number } } | undefined;
  if ((config?.clientIP?.timeoutSeconds ?? undefined) === undefined)
    spec['sessionAffinityConfig'] = { clientIP: { timeoutSeconds: 10_800 } };
}

function defaultLoadBalancer(struct: Fields, spec: Fields): void {
  fillPointer(spec, 'allocateLoadBalancerNodePorts', true);
  for (const ingress of structsAt(structAt(structAt(struct, 'status'), 'loadBalancer'), 'ingress'))
    if (!isZero(ingress['ip'])) fillPointer(ingress, 'ipMode', 'VIP');
}

function replicationController(struct: Fields): void {
  const spec = structAt(struct, 'spec');
  fillPointer(spec, 'replicas', 1);
  const labels = ((spec['template'] as Fields | undefined)?.['metadata'] as Fields | undefined)?.['labels'];
  if (labels === undefined) return;
  fillPointer(spec, 'selector', { ...(labels as Fields) });
  fillPointer(structAt(struct, 'metadata'), 'labels', { ...(labels as Fields) });
}

function persistentVolume(struct: Fields): void {
  const spec = structAt(struct, 'spec');
  fill(structAt(struct, 'status'), 'phase', 'Pending');
  fill(spec, 'persistentVolumeReclaimPolicy', 'Retain');
  fillPointer(spec, 'volumeMode', 'Filesystem');
}

function namespace(struct: Fields): void {
  const metadata = structAt(struct, 'metadata');
  if (isZero(metadata['name'])) return;
  metadata['labels'] = {
    ...(metadata['labels'] as Fields | undefined),
    'kubernetes.io/metadata.name': metadata['name'],
  };
}

function limitRangeItem(struct: Fields): void {
  if (struct['type'] !== 'Container') return;
  const limits = { ...(struct['max'] as Fields | undefined), ...(struct['default'] as Fields | undefined) };
  const requests = {
    ...(struct['min'] as Fields | undefined),
    ...limits,
    ...(struct['defaultRequest'] as Fields | undefined),
  };
  if (!isZero(limits)) struct['default'] = limits;
  if (!isZero(requests)) struct['defaultRequest'] = requests;
}

// What was given as text becomes bytes and is gone.
function secret(struct: Fields): void {
  fill(struct, 'type', 'Opaque');
  const texts = struct['stringData'] as Record<string, string> | undefined;
  if (texts === undefined) return;
  const bytes = Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
  struct['data'] = { ...(struct['data'] as Fields | undefined), ...Object.fromEntries(bytes) };
  delete struct['stringData'];
}

// The old field wins over the list that it is the first of.
function nodeSpec(struct: Fields): void {
  const [first] = (struct['podCIDRs'] as string[] | undefined) ?? [];
  if (isZero(struct['podCIDR'])) {
    if (first) struct['podCIDR'] = first;
  } else if (struct['podCIDR'] !== first) struct['podCIDRs'] = [struct['podCIDR']];
}

function nodeStatus(struct: Fields): void {
  if (struct['allocatable'] === undefined && struct['capacity'] !== undefined)
    struct['allocatable'] = { ...(struct['capacity'] as Fields) };
}

const core = 'io.k8s.api.core.v1.';

/** Defaults of the core group but for what pods hold. */
export const coreDefaults: Readonly<Record<string, SetDefaults>> = {
  [`${core}Service`]: service,
  [`${core}ReplicationController`]: replicationController,
  [`${core}PersistentVolume`]: persistentVolume,
  [`${core}PersistentVolumeClaim`]: (struct) => fill(structAt(struct, 'status'), 'phase', 'Pending'),
  [`${core}PersistentVolumeClaimSpec`]: (struct) => fillPointer(struct, 'volumeMode', 'Filesystem'),
  [`${core}EndpointPort`]: (struct) => fill(struct, 'protocol', 'TCP'),
  [`${core}Namespace`]: namespace,
  [`${core}NamespaceStatus`]: (struct) => fill(struct, 'phase', 'Active'),
  [`${core}NodeSpec`]: nodeSpec,
  [`${core}NodeStatus`]: nodeStatus,
  [`${core}LimitRangeItem`]: limitRangeItem,
  [`${core}Secret`]: secret,
};
