import { TowtankError } from '../../errors/towtank-error.ts';
import { awaitCarrier } from '../netlink/await-carrier.ts';
import { links } from '../netlink/links.ts';
import { NetworkNamespace } from '../network-namespace.ts';
import type { KernelThread } from '../thread/kernel-thread-handle.ts';
import { checkPlan } from './check-plan.ts';
import { NodeNetwork, unknownNode } from './node-network.ts';
import {
  buildFabric,
  buildFabricRemoval,
  buildMachine,
  buildPodBridge,
  buildPort,
  buildPortRemoval,
  buildRemovalOf,
  buildRootRoutes,
  buildRoutesTo,
} from './node-operations.ts';
import { enableForwarding, enableNode, filterBridgedPackets } from './node-sysctls.ts';
import type { FabricPlan, NodePlan, OutsideClientPlan } from './plan.ts';

interface Port {
  readonly name: string;
  readonly plan: Pick<NodePlan, 'addresses' | 'mac'>;
}

// Never used twice: the kernel takes its time to delete the link of a port.
let nextPort = 1;

/** The network that nodes and outside clients are plugged into: a bridge in the sandbox's root namespace. */
export class Fabric implements AsyncDisposable {
  readonly plan: FabricPlan;
  readonly root: NetworkNamespace;
  readonly #nodes = new Map<string, NodeNetwork>();
  readonly #clients = new Map<string, NetworkNamespace>();
  readonly #ports = new Map<string, Port>();
  readonly #thread: KernelThread | undefined;

  private constructor(plan: FabricPlan, root: NetworkNamespace, thread: KernelThread | undefined) {
    this.plan = plan;
    this.root = root;
    this.#thread = thread;
  }

  /** Makes the bridge; `thread` may connect pods. Throws ERR_NETLINK (EEXIST) when there is one of that name. */
  static create(plan: FabricPlan, thread?: KernelThread): Fabric {
    const root = NetworkNamespace.current();
    // What leads nowhere is answered with "network unreachable" by a machine that forwards, and swallowed by one that does not.
    enableForwarding(root);
    filterBridgedPackets(root, false);
    links.apply(root, buildFabric(plan));
    return new Fabric(plan, root, thread);
  }

  /** The nodes, by name. */
  get nodes(): ReadonlyMap<string, NodeNetwork> {
    return this.#nodes;
  }

  /** The outside clients' namespaces, by name. */
  get clients(): ReadonlyMap<string, NetworkNamespace> {
    return this.#clients;
  }

  /** Makes one node: namespace, cable, addresses, routes to and from every other node. Nothing is left of it on failure. */
  addNode(plan: NodePlan): NodeNetwork {
    return this.addNodes([plan])[0]!;
  }

  /** Makes several nodes at once, which saves visits to each for the routes to the others. Throws ERR_INVALID_ADDRESS first of all. */
  addNodes(plans: readonly NodePlan[]): readonly NodeNetwork[] {
    for (const plan of plans) checkPlan(plan);
    const before = [...this.#nodes.values()];
    const added: NodeNetwork[] = [];
    try {
      for (const plan of plans) added.push(this.#plugIn(plan));
      for (const node of added) this.#connect(node, [...before, ...added]);
      for (const node of before) links.apply(node.netns, plans.flatMap(buildRoutesTo));
      links.apply(
        this.root,
        plans.flatMap((plan) => buildRootRoutes(plan, 'addRoute')),
      );
    } catch (error) {
      for (const node of added) this.removeNode(node.name);
      throw error;
    }
    return added;
  }

  /** Removes a node, its pods and the others' routes to it. Throws ERR_USAGE when there is none of that name. */
  removeNode(name: string): void {
    const node = this.#nodes.get(name);
    if (node === undefined) throw unknownNode(name);
    this.#nodes.delete(name);
    try {
      for (const other of this.#nodes.values()) links.apply(other.netns, buildRemovalOf(node.plan));
      links.apply(this.root, buildRootRoutes(node.plan, 'deleteRoute'));
      this.#unplug(name);
    } finally {
      node.delete();
    }
  }

  /** Makes a machine on the fabric that is no part of the cluster: it knows nodes and announced addresses, no pods or Services. */
  addOutsideClient(plan: OutsideClientPlan): NetworkNamespace {
    checkPlan({ ...plan, podCIDRs: [] });
    const netns = NetworkNamespace.create(plan.name);
    try {
      this.#plug(netns, plan);
      links.apply(netns, buildMachine(this.plan, plan));
      awaitCarrier(this.root, this.portOf(plan.name));
    } catch (error) {
      this.#unplug(plan.name);
      netns.delete();
      throw error;
    }
    this.#clients.set(plan.name, netns);
    return netns;
  }

  /** Makes a link that is in the root namespace already a port of the fabric. Throws ERR_NETLINK when there is none. */
  plugIn(link: string): void {
    links.apply(this.root, [{ kind: 'setLink', link, master: this.plan.name, up: true }]);
    awaitCarrier(this.root, link);
  }

  /** Name of the bridge port, in the root namespace, that a node's or client's cable ends at. Throws ERR_USAGE. */
  portOf(name: string): string {
    const port = this.#ports.get(name);
    if (port === undefined) throw unknownNode(name);
    return port.name;
  }

  /** Removes everything: nodes, pods, clients, the bridge. */
  delete(): void {
    for (const netns of this.#clients.values()) netns.delete();
    for (const node of this.#nodes.values()) node.delete();
    const routes = [...this.#nodes.values()].flatMap((node) => buildRootRoutes(node.plan, 'deleteRoute'));
    links.apply(this.root, [...routes, ...buildFabricRemoval(this.plan)]);
    this.#clients.clear();
    this.#nodes.clear();
    this.#ports.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.delete();
  }

  #plugIn(plan: NodePlan): NodeNetwork {
    const netns = NetworkNamespace.create(plan.name);
    try {
      enableNode(netns);
      if (this.plan.cni === 'bridge') filterBridgedPackets(netns, true);
      this.#plug(netns, plan);
      links.apply(netns, this.plan.cni === 'bridge' ? buildPodBridge(plan) : []);
    } catch (error) {
      this.#unplug(plan.name);
      netns.delete();
      throw error;
    }
    const node = new NodeNetwork(plan, netns, { attachment: this.plan.cni, thread: this.#thread });
    this.#nodes.set(plan.name, node);
    return node;
  }

  #connect(node: NodeNetwork, all: readonly NodeNetwork[]): void {
    const others = all.filter((other) => other !== node).map((other) => other.plan);
    links.apply(node.netns, [...buildMachine(this.plan, node.plan), ...others.flatMap(buildRoutesTo)]);
    awaitCarrier(this.root, this.portOf(node.name));
  }

  #plug(netns: NetworkNamespace, plan: Pick<NodePlan, 'name' | 'addresses' | 'mac'>): void {
    if (this.#ports.has(plan.name)) {
      throw new TowtankError({ code: 'ERR_USAGE', message: `${plan.name} is on the fabric already` });
    }
    const name = `port${nextPort++}`;
    links.apply(this.root, buildPort(this.plan, { name, netns, plan }));
    this.#ports.set(plan.name, { name, plan });
  }

  #unplug(name: string): void {
    const port = this.#ports.get(name);
    if (port === undefined) return;
    this.#ports.delete(name);
    links.apply(this.root, buildPortRemoval(this.plan, port));
  }
}
