import type { ZoneProvider } from '../../dns/zone/cluster-zone.ts';
import { TowtankError, UserError } from '../../errors/towtank-error.ts';
import type { NetworkNamespace } from '../../kernel/network-namespace.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Pod } from '../../kube/generated/types.ts';
import type { ExecOptions, ExitStatus, KubeletConnection } from '../../kube/kubelet-connection.ts';
import { type KubeObject, type ResourceType, resources } from '../../kube/resources.ts';
import type { ControlHandlers } from '../control/control-server.ts';
import type { ClusterStatus, ConnectionStatus, DnsQueryRequest, FetchRequest, Target } from '../control/protocol.ts';
import { applyManifests, type FindType } from './apply-manifests.ts';
import type { ClusterNetwork } from './build-network.ts';
import { execAt } from './exec-at.ts';
import { fetchFrom } from './fetch-from.ts';
import { lookUpAt, lookUpInPod } from './look-up.ts';
import { parseManifests } from './parse-manifests.ts';
import type { PlaceNames } from './place-names.ts';
import { waitFor } from './wait-for.ts';

export interface ControlOptions {
  readonly client: KubeClient;
  readonly network: ClusterNetwork;
  readonly kubelets: KubeletConnection;
  /** What cluster DNS answers from. */
  readonly zone: ZoneProvider;
  /** Set where places have no resolver file of their own. */
  readonly names: PlaceNames | undefined;
  /** Addresses at which it answers. */
  readonly clusterDNS: readonly string[];
  readonly findType: FindType;
  /** Finds a type by its plural, singular or short name. */
  readonly findResource: (name: string) => ResourceType | undefined;
  readonly status: () => Promise<ClusterStatus>;
  /** What proxies in userspace mode carry. */
  readonly connections: () => Promise<readonly ConnectionStatus[]>;
  /** Resolves when what was written has reached the kernel. */
  readonly settled: () => Promise<void>;
  /** The bytes of a snapshot file. */
  readonly snapshot: () => Promise<AsyncIterable<Uint8Array>>;
}

interface ObjectRequest {
  readonly resource: string;
  readonly name?: string | undefined;
  readonly namespace?: string | undefined;
}

/** What the control socket answers: everything that the command line and the library ask of a running cluster. */
export function createControlHandlers(options: ControlOptions): ControlHandlers {
  const { client, findType, status } = options;
  const typeOf = (name: string): ResourceType => {
    const type = options.findResource(name);
    if (type === undefined)
      throw new UserError({
        code: 'ERR_USAGE',
        message: `the server doesn't have a resource type "${name}"`,
        hint: 'kubectl api-resources',
      });
    return type;
  };
  const keyFor = (type: ResourceType, { name = '', namespace }: ObjectRequest) => ({
    namespace: type.namespaced ? (namespace ?? 'default') : undefined,
    name,
  });
  const get = async (request: ObjectRequest): Promise<KubeObject | readonly KubeObject[]> => {
    const type = typeOf(request.resource);
    return request.name === undefined
      ? (await client.list(type, { namespace: request.namespace })).items
      : client.get(type, keyFor(type, request));
  };
  return {
    calls: {
      '/status': status,
      '/connections': options.connections,
      '/get': (body) => get(body as ObjectRequest),
      '/delete': (body) => {
        const type = typeOf((body as ObjectRequest).resource);
        return client.delete(type, keyFor(type, body as ObjectRequest));
      },
      '/apply': (body) => applyManifests(client, findType, parseManifests((body as { yaml: string }).yaml)),
      '/wait': async (body) => {
        const request = body as ObjectRequest & { readonly for: string; readonly timeoutMs: number };
        const type = typeOf(request.resource);
        await waitFor(client, type, { ...request, ...keyFor(type, request) });
        await options.settled();
      },
      '/settled': options.settled,
      '/plug-in': async (body) => options.network.plugIn((body as { link: string }).link),
      '/fetch': (body) => fetchAt(options, body as FetchRequest),
      '/dns-query': (body) => queryAt(options, body as DnsQueryRequest),
    },
    downloads: { '/snapshot': options.snapshot },
    exec: ({ target }, exec) => execTarget(options, target, exec),
  };
}

async function execTarget(options: ControlOptions, target: Target, exec: ExecOptions): Promise<ExitStatus> {
  if (target.kind !== 'pod') return execAt(netnsOf(options.network, target), exec);
  const pod = await options.client.get(resources.pods, target);
  return options.kubelets.exec(pod, containerOf(pod, target.container), exec);
}

async function fetchAt(options: ControlOptions, request: FetchRequest): Promise<unknown> {
  const { from } = request;
  if (from.kind !== 'pod') {
    const netns = netnsOf(options.network, from);
    return fetchFrom({ netns, resolve: (host) => lookUp(options.names, netns, host) }, request);
  }
  const { pod, netns, container } = await findPod(options, from);
  const { names, kubelets } = options;
  const resolve = (host: string) =>
    names === undefined ? lookUpInPod(kubelets, pod, { container, host }) : names.lookUp(netns, host, names.conf(pod));
  return fetchFrom({ netns, resolve }, request);
}

function lookUp(names: PlaceNames | undefined, netns: NetworkNamespace, host: string): Promise<readonly string[]> {
  return names === undefined ? lookUpAt(netns, host) : names.lookUp(netns, host, names.conf());
}

async function queryAt(options: ControlOptions, request: DnsQueryRequest): Promise<unknown> {
  const { queryDns } = await import('./query-dns.ts');
  const { from } = request;
  if (from.kind !== 'pod') {
    const netns = netnsOf(options.network, from);
    return queryDns({ netns, conf: options.names?.conf(), run: (exec) => execAt(netns, exec) }, request, options);
  }
  const { pod, netns, container } = await findPod(options, from);
  const run = (exec: ExecOptions) => options.kubelets.exec(pod, container, exec);
  return queryDns({ netns, conf: options.names?.conf(pod), run }, request, options);
}

async function findPod(
  { client, network }: ControlOptions,
  target: Extract<Target, { readonly kind: 'pod' }>,
): Promise<{ readonly pod: Pod; readonly netns: NetworkNamespace; readonly container: string }> {
  const pod = await client.get(resources.pods, target);
  const netns = netnsOfPod(network, pod);
  if (netns !== undefined) return { pod, netns, container: containerOf(pod, target.container) };
  throw new UserError({
    code: 'ERR_USAGE',
    message: `pod ${target.namespace}/${target.name} is not running`,
    hint: `kubectl describe pod ${target.name}`,
  });
}

// A pod on the host network shares its node's; the others are known by their address.
function netnsOfPod(network: ClusterNetwork, { spec, status }: Pod): NetworkNamespace | undefined {
  const node = network.nodes.get(spec?.nodeName ?? '');
  if (spec?.hostNetwork) return node?.netns;
  return [...(node?.pods.values() ?? [])].find(({ addresses }) => addresses.includes(status?.podIP ?? ''))?.netns;
}

function netnsOf(network: ClusterNetwork, target: Target): NetworkNamespace {
  if (target.kind === 'client') return network.client;
  const node = network.nodes.get(target.name);
  if (node) return node.netns;
  throw new UserError({
    code: 'ERR_USAGE',
    message: `there is no node ${target.name}`,
    hint: `the nodes are ${[...network.nodes.keys()].join(', ')}`,
  });
}

function containerOf(pod: Pod, wanted: string | undefined): string {
  const container = wanted ?? pod.spec?.containers[0]?.name;
  if (container === undefined) throw new TowtankError({ code: 'ERR_INTERNAL', message: 'a pod without containers' });
  return container;
}
