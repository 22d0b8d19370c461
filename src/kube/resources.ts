import type * as t from './generated/types.ts';

/** Where a kind lives in the API. `T` is the object's type; it exists only at compile time. */
export interface ResourceType<T extends KubeObject = KubeObject> {
  /** API group, '' for the core group. */
  readonly group: string;
  readonly version: string;
  /** Plural, lower case: the path segment. */
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Type carrier, never set. */
  readonly object?: T;
}

/** The least that every API object has. */
export interface KubeObject {
  readonly apiVersion?: string | undefined;
  readonly kind?: string | undefined;
  readonly metadata?: t.ObjectMeta | undefined;
}

const define = <T extends KubeObject>(
  group: string,
  version: string,
  resource: string,
  kind: string,
  namespaced = true,
): ResourceType<T> => ({
  group,
  version,
  resource,
  kind,
  namespaced,
});

/** The kinds that towtank's own parts read and write. The API server serves more; see apiserver's registry. */
export const resources = {
  namespaces: define<t.Namespace>('', 'v1', 'namespaces', 'Namespace', false),
  nodes: define<t.Node>('', 'v1', 'nodes', 'Node', false),
  pods: define<t.Pod>('', 'v1', 'pods', 'Pod'),
  services: define<t.Service>('', 'v1', 'services', 'Service'),
  endpoints: define<t.Endpoints>('', 'v1', 'endpoints', 'Endpoints'),
  configMaps: define<t.ConfigMap>('', 'v1', 'configmaps', 'ConfigMap'),
  secrets: define<t.Secret>('', 'v1', 'secrets', 'Secret'),
  serviceAccounts: define<t.ServiceAccount>('', 'v1', 'serviceaccounts', 'ServiceAccount'),
  events: define<t.Event>('', 'v1', 'events', 'Event'),
  endpointSlices: define<t.EndpointSlice>('discovery.k8s.io', 'v1', 'endpointslices', 'EndpointSlice'),
  leases: define<t.Lease>('coordination.k8s.io', 'v1', 'leases', 'Lease'),
  deployments: define<t.Deployment>('apps', 'v1', 'deployments', 'Deployment'),
  replicaSets: define<t.ReplicaSet>('apps', 'v1', 'replicasets', 'ReplicaSet'),
  statefulSets: define<t.StatefulSet>('apps', 'v1', 'statefulsets', 'StatefulSet'),
  daemonSets: define<t.DaemonSet>('apps', 'v1', 'daemonsets', 'DaemonSet'),
  persistentVolumeClaims: define<t.PersistentVolumeClaim>('', 'v1', 'persistentvolumeclaims', 'PersistentVolumeClaim'),
  controllerRevisions: define<t.ControllerRevision>('apps', 'v1', 'controllerrevisions', 'ControllerRevision'),
  jobs: define<t.Job>('batch', 'v1', 'jobs', 'Job'),
  cronJobs: define<t.CronJob>('batch', 'v1', 'cronjobs', 'CronJob'),
  ingresses: define<t.Ingress>('networking.k8s.io', 'v1', 'ingresses', 'Ingress'),
  networkPolicies: define<t.NetworkPolicy>('networking.k8s.io', 'v1', 'networkpolicies', 'NetworkPolicy'),
  serviceCIDRs: define<t.ServiceCIDR>('networking.k8s.io', 'v1', 'servicecidrs', 'ServiceCIDR', false),
  priorityClasses: define<t.PriorityClass>('scheduling.k8s.io', 'v1', 'priorityclasses', 'PriorityClass', false),
  podDisruptionBudgets: define<t.PodDisruptionBudget>('policy', 'v1', 'poddisruptionbudgets', 'PodDisruptionBudget'),
  ipAddresses: define<t.IPAddress>('networking.k8s.io', 'v1', 'ipaddresses', 'IPAddress', false),
} as const;

/** `v1` or `apps/v1`: what stands in an object's apiVersion. */
export function apiVersionOf(type: ResourceType): string {
  return type.group === '' ? type.version : `${type.group}/${type.version}`;
}

/** `namespace/name`, or `name` for cluster-scoped objects: the key of caches and work queues. */
export function keyOf(object: KubeObject): string {
  const { namespace, name } = object.metadata ?? {};
  return namespace ? `${namespace}/${name ?? ''}` : (name ?? '');
}

/** Splits a key that keyOf made. */
export function splitKey(key: string): { readonly namespace: string | undefined; readonly name: string } {
  const slash = key.indexOf('/');
  return slash === -1
    ? { namespace: undefined, name: key }
    : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
