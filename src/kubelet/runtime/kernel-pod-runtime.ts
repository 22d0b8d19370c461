import { rm } from 'node:fs/promises';
import { join } from 'node:path/posix';
import type { Duplex } from 'node:stream';
import type { NetworkNamespace } from '../../kernel/network-namespace.ts';
import { connectTcp } from '../../kernel/sockets.ts';
import type { NodeNetwork, PodNetwork } from '../../kernel/topology/node-network.ts';
import type { Clock } from '../../kube/clock.ts';
import type { Pod } from '../../kube/generated/types.ts';
import { buildResolvConf, type NodeDns, type ResolvConf } from '../../kube/resolv-conf.ts';
import type { PodRuntime, PodSandbox, RunningContainer } from '../container/container-runtime.ts';
import type { PodObjects } from '../environment/build-environment.ts';
import type { NodeResources } from '../environment/resource-value.ts';
import { podHostname } from '../files/pod-hostname.ts';
import type { PodEvent } from '../pod/node-world.ts';
import { startBuiltinContainer } from './builtin-container.ts';
import { ContainerWorld } from './container-world.ts';
import { type HostPort, hostPortMappings } from './host-port-mappings.ts';
import type { PodAddressPool } from './pod-addresses.ts';
import { type IssueToken, PodFiles } from './pod-files.ts';
import type { LookUp, PodWorld } from './pod-world.ts';
import { startProgramContainer } from './program-container.ts';

export interface KernelPodRuntimeOptions {
  readonly network: NodeNetwork;
  readonly addresses: PodAddressPool;
  /** The node's internal addresses. */
  readonly hostIPs: readonly string[];
  /** A folder for the files of pods, one folder each. */
  readonly directory: string;
  /** A folder on a tmpfs for what programs write to their root file system. */
  readonly layers: string;
  readonly clock: Clock;
  readonly dns: NodeDns;
  readonly lookUp?: LookUp | undefined;
  readonly resources: NodeResources;
  readonly objects: PodObjects;
  readonly issueToken: IssueToken;
  readonly hostPorts: HostPorts;
  readonly recordEvent: (pod: Pod, event: PodEvent) => void;
  readonly onError: (error: unknown) => void;
}

/** The ports of the node that lead to pods. */
export interface HostPorts {
  set(owner: string, mappings: readonly HostPort[]): Promise<void>;
  delete(owner: string): Promise<void>;
}

/** Makes pods of network namespaces, processes and in-process servers. */
export class KernelPodRuntime implements PodRuntime {
  readonly #options: KernelPodRuntimeOptions;

  constructor(options: KernelPodRuntimeOptions) {
    this.#options = options;
  }

  async createSandbox(pod: Pod): Promise<PodSandbox> {
    const { network, addresses, hostIPs, dns, recordEvent } = this.#options;
    for (const { involved, reason, message } of buildResolvConf(pod, dns).events) {
      if (involved === 'pod') recordEvent(pod, { type: 'Warning', reason, message });
    }
    if (pod.spec?.hostNetwork === true)
      return this.#sandbox(pod, network.netns, { podIPs: hostIPs, release: async () => {} });
    const podIPs = addresses.allocate();
    try {
      const attached = await network.attachPodAside({ name: netnsName(pod), addresses: podIPs });
      await this.#openHostPorts(pod, attached);
      const release = (): Promise<void> => this.#detach(pod, attached);
      return this.#sandbox(pod, attached.netns, { podIPs, release });
    } catch (error) {
      addresses.release(podIPs);
      throw error;
    }
  }

  async #openHostPorts(pod: Pod, attached: PodNetwork): Promise<void> {
    const mappings = hostPortMappings(pod, attached.addresses);
    if (mappings.length === 0) return;
    if (attached.netns.place !== undefined) {
      attached.detach();
      throw new Error('hostPort needs a network namespace for each node, which this tier has not (towtank doctor)');
    }
    try {
      await this.#options.hostPorts.set(pod.metadata?.uid ?? '', mappings);
    } catch (error) {
      attached.detach();
      throw error;
    }
  }

  async #detach(pod: Pod, attached: PodNetwork): Promise<void> {
    const { hostPorts, addresses } = this.#options;
    attached.detach();
    addresses.release(attached.addresses);
    if (hostPortMappings(pod, attached.addresses).length > 0) await hostPorts.delete(pod.metadata?.uid ?? '');
  }

  #sandbox(
    pod: Pod,
    netns: NetworkNamespace,
    { podIPs, release }: { readonly podIPs: readonly string[]; readonly release: () => Promise<void> },
  ): PodSandbox {
    const { directory, network, hostIPs, dns, resources: node, objects, issueToken, clock, onError } = this.#options;
    const hostname = podHostname(pod, network.name, dns.clusterDomain);
    const current = { pod };
    const files = new PodFiles({
      directory: join(directory, pod.metadata?.uid ?? ''),
      pod: () => current.pod,
      podIPs,
      hostIPs,
      hostname,
      dns,
      node,
      objects,
      issueToken,
      clock,
      onError,
    });
    const layers = join(this.#options.layers, pod.metadata?.uid ?? '');
    const { conf } = buildResolvConf(pod, dns);
    const resolver = asksMachine(netns) ? resolverEnvironment(conf) : {};
    const asked = this.#options.lookUp;
    const lookUp = asked && ((host: string) => namedByPod(pod, host) ?? asked(netns, host, conf));
    const world: PodWorld = { pod: () => current.pod, netns, podIPs, hostname, files, layers, resolver, lookUp, clock };
    let removed: Promise<void> | undefined;
    return {
      podIPs,
      start: (start) => startContainer(new ContainerWorld(world, start)),
      connect: (port) => connectLoopback(netns, port),
      refreshVolumes: (latest) => {
        current.pod = latest;
        return files.refresh();
      },
      remove: () => {
        removed ??= Promise.all([files.remove(), rm(layers, { recursive: true, force: true })])
          .then(() => undefined)
          .finally(release);
        return removed;
      },
    };
  }
}

function startContainer(world: ContainerWorld): Promise<RunningContainer> {
  const { plan } = world.start;
  return plan.kind === 'program' ? startProgramContainer(world, plan.command) : startBuiltinContainer(world, plan);
}

// Pods that share the machine's resolver file, and are known to the servers that it names.
function asksMachine({ place }: NetworkNamespace): boolean {
  return place !== undefined && place.loopback?.namesObstacle === undefined;
}

// What the hosts file of a pod of its own would say.
function namedByPod({ spec }: Pod, host: string): Promise<readonly string[]> | undefined {
  if (host === 'localhost') return Promise.resolve(['127.0.0.1']);
  const aliases = (spec?.hostAliases ?? []).filter(({ hostnames = [] }) => hostnames.includes(host));
  return aliases.length === 0 ? undefined : Promise.resolve(aliases.map(({ ip }) => ip));
}

// What the file cannot say where all pods share it, glibc takes from the environment; the nameserver is the same for all.
function resolverEnvironment({ search, options }: ResolvConf): Readonly<Record<string, string>> {
  return { LOCALDOMAIN: search.join(' '), RES_OPTIONS: options.join(' ') };
}

// Readable in `ip netns`, and different from that of a pod of the same name that is still going away.
function netnsName({ metadata }: Pod): string {
  const { namespace = '', name = '', uid = '' } = metadata ?? {};
  return `${`${namespace}_${name}`.slice(0, 150)}_${uid.slice(0, 8)}`;
}

async function connectLoopback(netns: NetworkNamespace, port: number): Promise<Duplex> {
  try {
    return await connected(netns, '127.0.0.1', port);
  } catch (error) {
    return connected(netns, '::1', port).catch(() => Promise.reject(error));
  }
}

function connected(netns: NetworkNamespace, host: string, port: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(netns, { host, port });
    socket.once('connect', () => resolve(socket)).once('error', reject);
  });
}
