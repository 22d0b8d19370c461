import type {
  Container,
  Deployment,
  DeploymentSpec,
  Endpoint,
  EndpointSlice,
  EndpointSlicePort,
  EndpointSubset,
  Endpoints,
  Namespace,
  Node,
  NodeSpec,
  NodeStatus,
  ObjectMeta,
  Pod,
  PodSpec,
  PodStatus,
  PodTemplateSpec,
  ReplicaSet,
  ReplicaSetSpec,
  Service,
  ServicePort,
  ServiceSpec,
  ServiceStatus,
} from '../../src/kube/generated/types.ts';

type Meta = Pick<
  ObjectMeta,
  | 'labels'
  | 'annotations'
  | 'ownerReferences'
  | 'finalizers'
  | 'deletionTimestamp'
  | 'uid'
  | 'creationTimestamp'
  | 'resourceVersion'
  | 'generation'
>;
interface Named extends Meta {
  readonly name?: string;
  readonly namespace?: string;
}

const META_FIELDS = [
  'labels',
  'annotations',
  'ownerReferences',
  'finalizers',
  'deletionTimestamp',
  'uid',
  'creationTimestamp',
  'resourceVersion',
  'generation',
] as const;

function buildMeta(options: Named, name: string, namespace?: string): ObjectMeta {
  const extra: Record<string, unknown> = {};
  for (const field of META_FIELDS) if (options[field] !== undefined) extra[field] = options[field];
  const where = namespace === undefined ? {} : { namespace: options.namespace ?? namespace };
  return { name: options.name ?? name, ...where, ...extra };
}

export interface PodOptions extends Named {
  readonly nodeName?: string;
  /** Pod IPs, the first is status.podIP; default one from 10.244.0.0/16 when there is a node, none otherwise. */
  readonly ips?: readonly string[];
  /** Default: true when it has an address. */
  readonly ready?: boolean;
  readonly phase?: string;
  readonly ports?: Container['ports'];
  readonly spec?: Partial<PodSpec>;
  readonly status?: PodStatus;
}

/** A pod of one container `main`; with a nodeName it runs and is ready. */
export function buildPod(options: PodOptions = {}): Pod {
  const { nodeName, ports, spec } = options;
  const ips = options.ips ?? (nodeName === undefined ? [] : ['10.244.0.2']);
  const ready = options.ready ?? ips.length > 0;
  const phase = options.phase ?? (nodeName === undefined ? 'Pending' : 'Running');
  const container: Container = { name: 'main', image: 'agnhost', ...(ports ? { ports } : {}) };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: buildMeta(options, 'pod', 'default'),
    spec: { containers: [container], ...(nodeName === undefined ? {} : { nodeName }), ...spec },
    status: {
      phase,
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
      ...(ips.length > 0 ? { podIP: ips[0]!, podIPs: ips.map((ip) => ({ ip })) } : {}),
      ...options.status,
    },
  };
}

export interface ServiceOptions extends Named {
  readonly spec?: Partial<ServiceSpec>;
  readonly ports?: readonly ServicePort[];
  readonly selector?: Readonly<Record<string, string>>;
  readonly type?: string;
  readonly clusterIP?: string;
  readonly status?: ServiceStatus;
}

/** A ClusterIP Service 10.96.0.10 with TCP port 80 > 8080 that selects app=web. */
export function buildService(options: ServiceOptions = {}): Service {
  const { clusterIP = '10.96.0.10', type = 'ClusterIP', selector = { app: 'web' } } = options;
  const ports = options.ports ?? [{ port: 80, protocol: 'TCP', targetPort: 8080 }];
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: buildMeta(options, 'web', 'default'),
    spec: {
      type,
      clusterIP,
      clusterIPs: [clusterIP],
      ipFamilies: [clusterIP.includes(':') ? 'IPv6' : 'IPv4'],
      ipFamilyPolicy: 'SingleStack',
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
      ...(type === 'NodePort' || type === 'LoadBalancer' ? { externalTrafficPolicy: 'Cluster' } : {}),
      selector,
      ports,
      ...options.spec,
    },
    status: options.status ?? { loadBalancer: {} },
  };
}

export interface NodeOptions extends Named {
  readonly zone?: string;
  /** InternalIP addresses; default 172.18.0.2. */
  readonly ips?: readonly string[];
  readonly podCIDRs?: readonly string[];
  readonly ready?: boolean;
  readonly spec?: NodeSpec;
  readonly status?: NodeStatus;
}

/** A Ready node `node-1` with pod CIDR 10.244.0.0/24. */
export function buildNode(options: NodeOptions = {}): Node {
  const { name = 'node-1', ips = ['172.18.0.2'], podCIDRs = ['10.244.0.0/24'], zone, ready = true } = options;
  const labels = {
    'kubernetes.io/hostname': name,
    ...(zone ? { 'topology.kubernetes.io/zone': zone } : {}),
    ...options.labels,
  };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { ...buildMeta(options, name), labels },
    spec: { ...(podCIDRs.length > 0 ? { podCIDR: podCIDRs[0]!, podCIDRs } : {}), ...options.spec },
    status: {
      addresses: [...ips.map((address) => ({ type: 'InternalIP', address })), { type: 'Hostname', address: name }],
      allocatable: { cpu: '4', memory: '8Gi', pods: '110' },
      capacity: { cpu: '4', memory: '8Gi', pods: '110' },
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
      ...options.status,
    },
  };
}

export interface EndpointSliceOptions extends Named {
  /** The Service it belongs to; default `web`. */
  readonly service?: string;
  readonly addressType?: string;
  readonly ports?: readonly EndpointSlicePort[];
  readonly endpoints?: readonly Endpoint[];
}

/** An EndpointSlice `web-abcde` of Service web: TCP port 8080, no endpoints unless given. */
export function buildEndpointSlice(options: EndpointSliceOptions = {}): EndpointSlice {
  const { service = 'web', addressType = 'IPv4', endpoints = [] } = options;
  const labels = { 'kubernetes.io/service-name': service, ...options.labels };
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { ...buildMeta(options, `${service}-abcde`, 'default'), labels },
    addressType,
    ports: options.ports ?? [{ name: '', port: 8080, protocol: 'TCP' }],
    endpoints,
  };
}

export interface EndpointOptions extends Partial<Endpoint> {
  readonly ip?: string;
  readonly ready?: boolean;
  readonly serving?: boolean;
  readonly terminating?: boolean;
}

/** A ready endpoint 10.244.0.2 on node-1. */
export function buildEndpoint(options: EndpointOptions = {}): Endpoint {
  const { ip = '10.244.0.2', ready = true, terminating = false, serving = ready || terminating, ...rest } = options;
  return { addresses: [ip], conditions: { ready, serving, terminating }, nodeName: 'node-1', ...rest };
}

/** An Endpoints object `web`. */
export function buildEndpoints(options: Named & { readonly subsets?: readonly EndpointSubset[] } = {}): Endpoints {
  const { subsets = [{ addresses: [{ ip: '10.244.0.2' }], ports: [{ port: 8080, protocol: 'TCP' }] }] } = options;
  return { apiVersion: 'v1', kind: 'Endpoints', metadata: buildMeta(options, 'web', 'default'), subsets };
}

/** An Active namespace. */
export function buildNamespace(options: Named = {}): Namespace {
  const name = options.name ?? 'default';
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { ...buildMeta(options, name), labels: { 'kubernetes.io/metadata.name': name, ...options.labels } },
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  };
}

/** A Deployment `web` of 2 replicas with the API server's defaults. */
export function buildDeployment(options: Named & { readonly spec?: Partial<DeploymentSpec> } = {}): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: buildMeta(options, 'web', 'default'),
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: 'web' } },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      template: buildPodTemplate(),
      ...options.spec,
    },
  };
}

/** A ReplicaSet `web` of 2 replicas. */
export function buildReplicaSet(options: Named & { readonly spec?: Partial<ReplicaSetSpec> } = {}): ReplicaSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: buildMeta(options, 'web', 'default'),
    spec: { replicas: 2, selector: { matchLabels: { app: 'web' } }, template: buildPodTemplate(), ...options.spec },
  };
}

/** The pod template that the builders above use: app=web, one container. */
export function buildPodTemplate(image = 'agnhost'): PodTemplateSpec {
  return { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image }] } };
}
