import { TowtankError } from '../../errors/towtank-error.ts';
import { withoutPrefixLength } from '../ffi/ip-bytes.ts';
import { links } from '../netlink/links.ts';
import { NetworkNamespace } from '../network-namespace.ts';
import {
  buildEverybody,
  buildFlatAddresses,
  buildFlatLink,
  buildMasqueradeAddresses,
  buildSender,
  buildSenderRemoval,
  type FlatRanges,
  type FlatSender,
} from './flat-operations.ts';
import { firstPlaceUid, killUsers, lastPlaceUid, removeFlatNetwork } from './flat-removal.ts';
import { NodeNetwork, type PodNetwork, type SharedAttachment } from './node-network.ts';
import type { NodePlan, OutsideClientPlan, PodPlan } from './plan.ts';

export interface FlatPlan {
  /** Where the API server answers pods and nodes; what the machine's own shell sends comes from the first of each family. */
  readonly addresses: readonly string[];
  readonly ranges: FlatRanges;
}

/**
 * The network of a cluster in one network namespace, for where no other can be made: every address is the machine's own, and
 * places are told apart by the user id of their programs and the addresses that their sockets are bound to.
 */
export class FlatFabric implements AsyncDisposable {
  readonly root: NetworkNamespace;
  readonly #plan: FlatPlan;
  readonly #shell: FlatSender;
  readonly #nodes = new Map<string, NodeNetwork>();
  readonly #senders = new Map<number, FlatSender>();

  private constructor(plan: FlatPlan) {
    this.#plan = plan;
    this.root = NetworkNamespace.current();
    this.#shell = { uid: firstPlaceUid, addresses: plan.addresses, isInside: true };
  }

  /** Makes the link and its rules; what an earlier cluster that was killed left is removed first. Throws ERR_NETLINK. */
  static create(plan: FlatPlan): FlatFabric {
    const fabric = new FlatFabric(plan);
    removeFlatNetwork();
    links.apply(fabric.root, [
      ...buildFlatLink(),
      ...buildFlatAddresses(plan.addresses, 'addAddress'),
      ...buildEverybody(fabric.#shell, plan.ranges),
    ]);
    return fabric;
  }

  /** The nodes, by name. */
  get nodes(): ReadonlyMap<string, NodeNetwork> {
    return this.#nodes;
  }

  /** Gives nodes their addresses. The first one's are what masqueraded packets come from: its proxy is that of all. */
  addNodes(plans: readonly NodePlan[]): readonly NodeNetwork[] {
    return plans.map((plan) => {
      const addresses = plan.addresses.map(withoutPrefixLength);
      const isFirst = this.#nodes.size === 0;
      const add = isFirst ? buildMasqueradeAddresses(addresses) : buildFlatAddresses(addresses, 'addAddress');
      links.apply(this.root, add);
      const attachment: SharedAttachment = {
        attachPod: (pod) => this.#attachPod(pod),
        announce: (address) => links.apply(this.root, buildFlatAddresses([address], 'addAddress')),
        withdraw: (address) => links.apply(this.root, buildFlatAddresses([address], 'deleteAddress')),
      };
      const { netns } = this.#addSender(plan.name, addresses, true);
      const node = new NodeNetwork(plan, netns, { attachment });
      this.#nodes.set(plan.name, node);
      return node;
    });
  }

  /** Gives the client outside of the cluster its addresses; pods and Services are unreachable for its programs. */
  addOutsideClient({ name, addresses }: OutsideClientPlan): NetworkNamespace {
    const own = addresses.map(withoutPrefixLength);
    links.apply(this.root, buildFlatAddresses(own, 'addAddress'));
    return this.#addSender(name, own, false).netns;
  }

  /** Kills the programs of all places and removes link, addresses, routes and rules. */
  async [Symbol.asyncDispose](): Promise<void> {
    removeFlatNetwork();
    this.#nodes.clear();
    this.#senders.clear();
  }

  #attachPod({ name, addresses }: PodPlan): PodNetwork {
    links.apply(this.root, buildFlatAddresses(addresses, 'addAddress'));
    const { netns, sender } = this.#addSender(name, addresses, true);
    const detach = (): void => {
      if (!this.#senders.delete(sender.uid)) return;
      killUsers(sender.uid, sender.uid);
      links.apply(this.root, [
        ...buildSenderRemoval(sender, this.#plan.ranges),
        ...buildFlatAddresses(addresses, 'deleteAddress'),
      ]);
      netns.delete();
    };
    return { name, netns, addresses, detach };
  }

  #addSender(
    name: string,
    addresses: readonly string[],
    isInside: boolean,
  ): { readonly netns: NetworkNamespace; readonly sender: FlatSender } {
    const uid = this.#freeUid();
    const sender: FlatSender = { uid, addresses, isInside };
    links.apply(this.root, buildSender(sender, this.#plan.ranges));
    this.#senders.set(uid, sender);
    return { netns: NetworkNamespace.share(name, { addresses, uid }), sender };
  }

  #freeUid(): number {
    for (let uid = firstPlaceUid + 1; uid <= lastPlaceUid; uid++) if (!this.#senders.has(uid)) return uid;
    throw new TowtankError({ code: 'ERR_RANGE_FULL', message: 'all user ids of the flat network are taken' });
  }
}
