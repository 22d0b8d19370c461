import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withoutPrefixLength } from '../ffi/ip-bytes.ts';
import { firstPort } from '../loopback/first-port.ts';
import { killMarked, markOf, markVariable } from '../loopback/marked-programs.ts';
import { NetworkNamespace } from '../network-namespace.ts';
import { NodeNetwork, type PodNetwork, type SharedAttachment } from './node-network.ts';
import type { NodePlan, OutsideClientPlan, PodPlan } from './plan.ts';

export interface LoopbackPlan {
  /** Where the API server answers pods and nodes. */
  readonly addresses: readonly string[];
  /** What the programs of this start of this cluster are marked with. */
  readonly mark: string;
  /** A folder for what programs of places find their settings in. */
  readonly folder: string;
  /** Why the machine's programs do not ask cluster DNS. */
  readonly namesObstacle: string | undefined;
}

/**
 * The network of a cluster without any privilege: addresses of 127.0.0.0/8, which every socket may be bound to as it is. Places
 * are told apart by nothing but the addresses of their sockets, and their programs by a mark in their environment.
 */
export class LoopbackFabric implements AsyncDisposable {
  readonly root: NetworkNamespace;
  readonly #plan: LoopbackPlan;
  readonly #firstPort = firstPort();
  readonly #nodes = new Map<string, NodeNetwork>();

  constructor(plan: LoopbackPlan) {
    this.#plan = plan;
    this.root = this.#share('control-plane', plan.addresses);
  }

  /** The nodes, by name. */
  get nodes(): ReadonlyMap<string, NodeNetwork> {
    return this.#nodes;
  }

  addNodes(plans: readonly NodePlan[]): readonly NodeNetwork[] {
    return plans.map((plan) => {
      const netns = this.#share(plan.name, plan.addresses.map(withoutPrefixLength));
      // Whatever address a load balancer has, it is the machine's already.
      const attachment: SharedAttachment = {
        attachPod: (pod) => this.#attachPod(pod),
        announce: () => {},
        withdraw: () => {},
      };
      const node = new NodeNetwork(plan, netns, { attachment });
      this.#nodes.set(plan.name, node);
      return node;
    });
  }

  addOutsideClient({ name, addresses }: OutsideClientPlan): NetworkNamespace {
    return this.#share(name, addresses.map(withoutPrefixLength));
  }

  /** Kills the programs of all places. */
  async [Symbol.asyncDispose](): Promise<void> {
    killMarked(this.#plan.mark);
    this.#nodes.clear();
  }

  #attachPod({ name, addresses }: PodPlan): PodNetwork {
    const netns = this.#share(name, addresses);
    const detach = (): void => {
      killMarked(this.#plan.mark, name);
      rmSync(this.#folderOf(name), { recursive: true, force: true });
      netns.delete();
    };
    return { name, netns, addresses, detach };
  }

  #share(name: string, addresses: readonly string[]): NetworkNamespace {
    const { mark, namesObstacle } = this.#plan;
    const environment = { [markVariable]: markOf(mark, name), CURL_HOME: this.#folderOf(name) };
    this.#configureCurl(name, addresses);
    const loopback = { firstPort: this.#firstPort, namesObstacle, environment };
    return NetworkNamespace.share(name, { addresses, loopback });
  }

  // The kernel gives 127.0.0.1 to whatever binds no address, and no other way to choose: curl is told by its own file.
  #configureCurl(name: string, addresses: readonly string[]): void {
    const folder = this.#folderOf(name);
    mkdirSync(folder, { recursive: true });
    const [address] = addresses;
    if (address !== undefined) writeFileSync(join(folder, '.curlrc'), `interface = "host!${address}"\n`);
  }

  #folderOf(name: string): string {
    return join(this.#plan.folder, name);
  }
}
