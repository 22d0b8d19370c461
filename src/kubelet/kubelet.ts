import { join } from 'node:path/posix';
import { HostPorts } from '../kernel/host-ports.ts';
import { createConntrackRunner } from '../kernel/runners/conntrack-runner.ts';
import { createIptablesRunner } from '../kernel/runners/iptables-runner.ts';
import { connectTcp } from '../kernel/sockets.ts';
import type { NodeNetwork } from '../kernel/topology/node-network.ts';
import { EventRecorder } from '../kube/event-recorder.ts';
import type { Node, Pod, Taint } from '../kube/generated/types.ts';
import { resources } from '../kube/resources.ts';
import { isReason } from '../kube/status.ts';
import { referencedObjects } from './environment/referenced-objects.ts';
import type { KubeletShared } from './kubelet-shared.ts';
import { type NodeFacts, nodeResources } from './node/build-node.ts';
import { registerNode } from './node/register-node.ts';
import type { NodeWorld } from './pod/node-world.ts';
import { PodWorker } from './pod/pod-worker.ts';
import { KernelPodRuntime } from './runtime/kernel-pod-runtime.ts';
import { PodAddresses, type PodAddressPool } from './runtime/pod-addresses.ts';

/** A node to be run by a kubelet. */
export interface KubeletNode {
  /** Its name, addresses and podCIDRs come from the plan of its network. */
  readonly network: NodeNetwork;
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: readonly Taint[];
  readonly externalAddresses?: readonly string[];
  /** Default: an allocator over the node's podCIDRs. */
  readonly addresses?: PodAddressPool;
  /** How many pods it takes; default 110, as in Kubernetes. */
  readonly maxPods?: number;
}

const DEFAULT_MAX_PODS = 110;
const DELETE_RETRY_MS = 1_000;

/** The kubelet of one node: registers it, sends its heartbeat and runs the pods that are bound to it. */
export class Kubelet implements AsyncDisposable {
  readonly nodeName: string;
  readonly #shared: KubeletShared;
  readonly #facts: NodeFacts;
  readonly #world: NodeWorld;
  readonly #events: EventRecorder;
  readonly #workers = new Map<string, PodWorker>();
  #subscription: Disposable | undefined;

  constructor(shared: KubeletShared, node: KubeletNode) {
    const { clock, random, images, objects, machine, onError } = shared;
    const { name, plan, netns } = node.network;
    this.nodeName = name;
    this.#shared = shared;
    this.#facts = factsOf(shared, node);
    this.#events = new EventRecorder({ client: shared.client, clock, component: 'kubelet', host: name, onError });
    const hostIPs = this.#facts.addresses;
    const offered = nodeResources({ machine, maxPods: this.#facts.maxPods });
    const recordEvent: NodeWorld['recordEvent'] = (pod, event) => this.#events.record(resources.pods, pod, event);
    const runtime = new KernelPodRuntime({
      network: node.network,
      addresses: node.addresses ?? new PodAddresses(plan.podCIDRs),
      hostIPs,
      directory: join(shared.stateDir, name, 'pods'),
      layers: join(shared.runtimeDir, name),
      clock,
      dns: { ...shared.dns, nodeIPs: hostIPs },
      lookUp: shared.lookUp,
      resources: offered,
      objects,
      issueToken: shared.issueToken,
      hostPorts: new HostPorts(netns, {
        iptables: createIptablesRunner(netns, { backend: shared.iptablesBackend }),
        conntrack: createConntrackRunner(netns),
      }),
      recordEvent,
      onError,
    });
    this.#world = {
      nodeName: name,
      hostIPs,
      resources: offered,
      clock,
      random,
      runtime,
      images,
      objects,
      dial: (host, port) => connectTcp(netns, { host, port }),
      recordEvent,
      turn: () => shared.turnstile.pass(),
      logLimitBytes: shared.logLimitBytes,
    };
  }

  /** The workers of the node's pods, by uid. */
  get workers(): ReadonlyMap<string, PodWorker> {
    return this.#workers;
  }

  /** Registers the node and begins with its pods; resolves with the Node object when it is registered. */
  async start(): Promise<Node> {
    const { client, clock, heartbeats, pods } = this.#shared;
    const node = await registerNode(client, this.#facts, clock.now());
    this.#events.record(resources.nodes, node, { type: 'Normal', reason: 'Starting', message: 'Starting kubelet.' });
    await heartbeats.add(this.#facts);
    this.#subscription = pods.subscribe(this.nodeName, (uid, pod) => this.#onPod(uid, pod));
    return node;
  }

  /** Tells the pods that use a ConfigMap or Secret (`configmap/NAME`) that it has changed. */
  objectChanged(namespace: string, reference: string): void {
    for (const worker of this.#workers.values()) {
      if (worker.pod.metadata?.namespace !== namespace) continue;
      if (referencedObjects(worker.pod).has(reference)) worker.objectsChanged();
    }
  }

  /** Ends the heartbeat and kills the pods; the API is not told, as when a node fails. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#subscription?.[Symbol.dispose]();
    this.#shared.heartbeats.remove(this.nodeName);
    this.#events[Symbol.dispose]();
    const workers = [...this.#workers.values()];
    this.#workers.clear();
    for (const worker of workers) worker.remove(0);
    await Promise.all(workers.map((worker) => worker.ended));
  }

  #onPod(uid: string, pod: Pod | undefined): void {
    const worker = this.#workers.get(uid);
    if (pod === undefined) worker?.remove();
    else (worker ?? this.#add(uid, pod)).update(pod);
  }

  #add(uid: string, pod: Pod): PodWorker {
    const { statuses, onError } = this.#shared;
    const worker = new PodWorker(pod, this.#world, {
      onStatus: () => {
        if (this.#workers.get(uid) === worker) statuses.add(worker);
      },
      onStopped: () => void this.#finish(uid, worker),
      onError,
    });
    this.#workers.set(uid, worker);
    return worker;
  }

  // A pod leaves the API only when nothing of it runs any more, and its last status is there for whoever watches.
  async #finish(uid: string, worker: PodWorker): Promise<void> {
    const { client, statuses, clock, onError } = this.#shared;
    await statuses.flushed(worker);
    if (this.#workers.get(uid) !== worker) return;
    const { namespace, name = '' } = worker.pod.metadata ?? {};
    try {
      await client.delete(resources.pods, { namespace, name }, { gracePeriodSeconds: 0, uid });
    } catch (error) {
      if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) {
        onError(error);
        clock.schedule(DELETE_RETRY_MS, () => void this.#finish(uid, worker));
        return;
      }
    }
    this.#workers.delete(uid);
  }
}

function factsOf(shared: KubeletShared, node: KubeletNode): NodeFacts {
  const { name, plan } = node.network;
  return {
    name,
    addresses: plan.addresses.map((address) => address.split('/')[0] ?? ''),
    externalAddresses: node.externalAddresses,
    podCIDRs: plan.podCIDRs,
    labels: node.labels,
    taints: node.taints,
    maxPods: node.maxPods ?? DEFAULT_MAX_PODS,
    kubeletVersion: shared.kubeletVersion,
    containerRuntimeVersion: shared.containerRuntimeVersion,
    machine: shared.machine,
  };
}
