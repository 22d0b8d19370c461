import type { Node, Pod } from '../kube/generated/types.ts';
import { controllerOf } from '../kube/owner-references.ts';
import { keyOf } from '../kube/resources.ts';
import { type HostPort, hostPortsOf } from './host-ports.ts';
import { type Amounts, amountsOf, assumedRequests, podRequests } from './pod-requests.ts';

/** A pod that takes room on a node. */
export interface PlacedPod {
  readonly pod: Pod;
  readonly requests: Amounts;
  readonly assumed: Amounts;
  readonly hostPorts: readonly HostPort[];
}

/** A node and what is taken of it, kept up pod by pod. */
export class NodeInfo {
  readonly pods = new Map<string, PlacedPod>();
  readonly requested = new Map<string, number>();
  readonly assumed = new Map<string, number>();
  /** Pods that refuse certain neighbours: looked at for every pod that is to be placed. */
  readonly withAntiAffinity = new Set<Pod>();
  /** How many pods each controller has here, by its uid. */
  readonly byController = new Map<string, number>();
  node: Node | undefined;
  allocatable: Amounts = new Map();

  setNode(node: Node | undefined): void {
    this.node = node;
    this.allocatable = amountsOf(node?.status?.allocatable ?? node?.status?.capacity);
  }

  get name(): string {
    return this.node?.metadata?.name ?? '';
  }

  get labels(): Readonly<Record<string, string>> {
    return this.node?.metadata?.labels ?? {};
  }

  addPod(pod: Pod): void {
    this.removePod(pod);
    const placed = { pod, requests: podRequests(pod), assumed: assumedRequests(pod), hostPorts: hostPortsOf(pod) };
    this.pods.set(keyOf(pod), placed);
    this.#count(placed, 1);
    if (pod.spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.length)
      this.withAntiAffinity.add(pod);
  }

  removePod(pod: Pod): void {
    const placed = this.pods.get(keyOf(pod));
    if (placed === undefined) return;
    this.pods.delete(keyOf(pod));
    this.#count(placed, -1);
    this.withAntiAffinity.delete(placed.pod);
  }

  #count({ pod, requests, assumed }: PlacedPod, sign: 1 | -1): void {
    const owner = controllerOf(pod)?.uid;
    if (owner !== undefined) this.byController.set(owner, (this.byController.get(owner) ?? 0) + sign);
    if (owner !== undefined && this.byController.get(owner) === 0) this.byController.delete(owner);
    for (const [name, amount] of requests) this.requested.set(name, (this.requested.get(name) ?? 0) + sign * amount);
    for (const [name, amount] of assumed) this.assumed.set(name, (this.assumed.get(name) ?? 0) + sign * amount);
  }
}
