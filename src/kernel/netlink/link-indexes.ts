import type { NetworkNamespace } from '../network-namespace.ts';
import { MessageWriter } from './message-writer.ts';
import * as rt from './rtnetlink-constants.ts';
import { request, withRtnetlink } from './rtnetlink-socket.ts';

// The kernel numbers links that others make from 1 upwards; ours start far above, so that neither takes the other's number.
const firstIndex = 1000;
const known = new WeakMap<NetworkNamespace, LinkIndexes>();

/** A link that an operation names does not exist. */
export class UnknownLink extends Error {
  readonly link: string;
  constructor(link: string) {
    super(`no link ${link}`);
    this.link = link;
  }
}

/** Names and interface indexes of the links of one namespace, remembered so that batches need no question to the kernel. */
export class LinkIndexes {
  readonly #netns: NetworkNamespace;
  readonly #indexes = new Map<string, number>([['lo', 1]]);
  #next = firstIndex;

  private constructor(netns: NetworkNamespace) {
    this.#netns = netns;
  }

  static of(netns: NetworkNamespace): LinkIndexes {
    let indexes = known.get(netns);
    if (indexes === undefined) {
      indexes = new LinkIndexes(netns);
      known.set(netns, indexes);
    }
    return indexes;
  }

  /** The indexes of another namespace. */
  elsewhere(netns: NetworkNamespace): LinkIndexes {
    return LinkIndexes.of(netns);
  }

  /** Numbers the links that are made from now on from here, where others number links of the same namespace. */
  startAt(index: number): void {
    this.#next = index;
  }

  /** Chooses the index of a link that is about to be made. */
  assign(name: string): number {
    const index = this.#next++;
    this.#indexes.set(name, index);
    return index;
  }

  /** The index of an existing link, asked from the kernel when it is not ours. Throws UnknownLink. */
  of(name: string): number {
    const index = this.#indexes.get(name) ?? askIndex(this.#netns, name);
    if (index === undefined) throw new UnknownLink(name);
    this.#indexes.set(name, index);
    return index;
  }

  rename(from: string, to: string): void {
    const index = this.of(from);
    this.#indexes.delete(from);
    this.#indexes.set(to, index);
  }

  /** Drops what is remembered of a link; `lo` stays. */
  forget(name: string): void {
    if (name !== 'lo') this.#indexes.delete(name);
  }
}

function askIndex(netns: NetworkNamespace, name: string): number | undefined {
  const w = new MessageWriter(64);
  w.begin(rt.RTM_GETLINK, rt.NLM_F_REQUEST, 1);
  for (let i = 0; i < 4; i++) w.u32(0);
  w.attributeString(rt.IFLA_IFNAME, name);
  w.end();
  const answer = withRtnetlink(netns, (fd) => request(fd, w.bytes()));
  return 'body' in answer ? answer.body.readInt32LE(4) : undefined;
}
