import { TowtankError } from '../../errors/towtank-error.ts';
import { links } from '../netlink/links.ts';
import type { AddressOperation } from '../netlink/operations.ts';
import { NetworkNamespace } from '../network-namespace.ts';
import { KernelThread } from '../thread/kernel-thread-handle.ts';
import { hostPrefix, isV6 } from './addresses.ts';
import { Announcer } from './announcement.ts';
import { checkHost, checkPlan } from './check-plan.ts';
import { macOfNode } from './node-operations.ts';
import type { NodePlan, PodAttachment, PodPlan } from './plan.ts';
import { buildPod, wirePod } from './wire-pod.ts';

/** A pod's network: its namespace with `eth0`. */
export interface PodNetwork {
  readonly name: string;
  readonly netns: NetworkNamespace;
  readonly addresses: readonly string[];
  /** Makes the pod unreachable and gives its namespace up. Repeating it is harmless. */
  detach(): void;
}

/** How the addresses of a node and its pods come to be where there are no namespaces of their own. */
export interface SharedAttachment {
  attachPod(pod: PodPlan): PodNetwork;
  announce(address: string): void;
  withdraw(address: string): void;
}

interface Connection {
  readonly attachment: PodAttachment;
  readonly hostLink: string;
  readonly addresses: readonly string[];
}

/** A node's network: its namespace, the pods on it and the load balancer addresses that it answers for. */
export class NodeNetwork {
  readonly name: string;
  readonly netns: NetworkNamespace;
  readonly plan: NodePlan;
  readonly #attachment: PodAttachment | SharedAttachment;
  readonly #pods = new Map<string, PodNetwork>();
  readonly #announced = new Set<string>();
  readonly #announcer: Announcer;
  readonly #thread: KernelThread | undefined;
  #nextLink = 1;
  #isDeleted = false;

  constructor(
    plan: NodePlan,
    netns: NetworkNamespace,
    {
      attachment,
      thread,
    }: { readonly attachment: PodAttachment | SharedAttachment; readonly thread?: KernelThread | undefined },
  ) {
    this.name = plan.name;
    this.plan = plan;
    this.netns = netns;
    this.#attachment = attachment;
    this.#thread = thread;
    this.#announcer = new Announcer(netns, macOfNode(plan));
  }

  /** The pods attached, by the name of their namespace. */
  get pods(): ReadonlyMap<string, PodNetwork> {
    return this.#pods;
  }

  /** The load balancer addresses announced. */
  get announced(): ReadonlySet<string> {
    return this.#announced;
  }

  /** Makes a pod's namespace and connects it. Throws ERR_SYSCALL (EEXIST) when the name is taken; nothing is left then. */
  attachPod({ name, addresses }: PodPlan): PodNetwork {
    if (!this.#isLoopback) checkPlan({ name, addresses, podCIDRs: [] });
    const attachment = this.#attachment;
    if (typeof attachment === 'object') return this.#attachShared(attachment, { name, addresses });
    const wiring = { node: this.plan, netns: this.netns, attachment, hostLink: this.#nameLink() };
    const netns = wirePod({ ...wiring, pod: { name, addresses } });
    return this.#remember(netns, { ...wiring, addresses });
  }

  /** The same beside what this thread does, where there is a thread for it. */
  async attachPodAside(pod: PodPlan): Promise<PodNetwork> {
    const attachment = this.#attachment;
    if (typeof attachment === 'object' || !KernelThread.finds(this.netns)) return this.attachPod(pod);
    checkPlan({ ...pod, podCIDRs: [] });
    const hostLink = this.#nameLink();
    const made = await this.#thread?.do({
      kind: 'attach',
      node: this.plan,
      nodePath: this.netns.path,
      attachment,
      hostLink,
      pod,
    });
    if (made === undefined) return this.attachPod(pod);
    const netns = NetworkNamespace.adopt(pod.name, made);
    if (this.#isDeleted) {
      netns.delete();
      throw unknownNode(this.name);
    }
    return this.#remember(netns, { attachment, hostLink, addresses: pod.addresses });
  }

  /**
   * Answers for a load balancer's address from now on, and tells so on the fabric. Announcing an address again tells it again.
   * Whoever announced it before must withdraw it.
   */
  announce(address: string): void {
    if (!this.#isLoopback) checkHost(address);
    const isNew = !this.#announced.has(address);
    this.#announced.add(address);
    if (typeof this.#attachment === 'object') {
      if (isNew) this.#attachment.announce(address);
      return;
    }
    if (isNew) links.apply(this.netns, [announcedAddress('addAddress', address)]);
    this.#announcer.announce(address);
  }

  /** Answers for it no longer. An address that was not announced is no error. */
  withdraw(address: string): void {
    if (!this.#announced.delete(address)) return;
    if (typeof this.#attachment === 'object') this.#attachment.withdraw(address);
    else links.apply(this.netns, [announcedAddress('deleteAddress', address)]);
  }

  /** Detaches all pods and gives the namespace up. */
  delete(): void {
    this.#isDeleted = true;
    for (const pod of [...this.#pods.values()]) pod.detach();
    this.#announcer[Symbol.dispose]();
    this.netns.delete();
  }

  // Nothing is configured there, and its addresses are no machine's on any network.
  get #isLoopback(): boolean {
    return this.netns.place?.loopback !== undefined;
  }

  #attachShared(attachment: SharedAttachment, plan: PodPlan): PodNetwork {
    const attached = attachment.attachPod(plan);
    const detach = (): void => {
      if (this.#pods.delete(plan.name)) attached.detach();
    };
    const pod = { ...attached, detach };
    this.#pods.set(plan.name, pod);
    return pod;
  }

  #nameLink(): string {
    return `veth${this.#nextLink++}`;
  }

  #remember(netns: NetworkNamespace, { attachment, hostLink, addresses }: Connection): PodNetwork {
    const { name } = netns;
    const detach = (): void => {
      if (!this.#pods.delete(name)) return;
      links.apply(this.netns, buildPod(attachment, { node: this.plan, netns, hostLink, addresses }).detach);
      netns.delete();
    };
    const pod = { name, netns, addresses, detach };
    this.#pods.set(name, pod);
    return pod;
  }
}

// IPv4 answers ARP for every address of the machine, so `lo` may have it; of scope link, lest packets to pods carry it as their
// source. IPv6 answers only for addresses of the link that is asked on; deprecated for the same reason.
function announcedAddress(kind: AddressOperation['kind'], address: string): AddressOperation {
  const prefix = hostPrefix(address);
  return isV6(address)
    ? { kind, link: 'eth0', address: prefix, noPrefixRoute: true, deprecated: true }
    : { kind, link: 'lo', address: prefix, scope: 'link' };
}

/** The error of a node that does not exist. */
export function unknownNode(name: string): TowtankError {
  return new TowtankError({ code: 'ERR_USAGE', message: `there is no node ${name} on this fabric` });
}
