import type { Random } from '../../src/kube/clock.ts';

/** Bytes that mean something in DNS messages: lengths, pointers, flags, record types. */
const telling = [0, 1, 2, 5, 6, 12, 15, 16, 28, 33, 41, 63, 64, 0x80, 0xbf, 0xc0, 0xc1, 0xfe, 0xff];

type Mutation = (packet: Uint8Array, random: Random) => Uint8Array;

const below = (random: Random, limit: number): number => Math.floor(random() * limit);
const changed = (packet: Uint8Array, change: (copy: Uint8Array) => void): Uint8Array => {
  const copy = packet.slice();
  change(copy);
  return copy;
};

const mutations: readonly Mutation[] = [
  (packet, random) =>
    changed(packet, (copy) => copy.set([telling[below(random, telling.length)]!], below(random, copy.length))),
  (packet, random) =>
    changed(packet, (copy) => {
      const at = below(random, copy.length);
      copy[at] = copy[at]! ^ (1 << below(random, 8));
    }),
  (packet, random) => packet.subarray(0, below(random, packet.length + 1)),
  // Counts of the header.
  (packet, random) => changed(packet, (copy) => copy.set([0, below(random, 4)], 4 + 2 * below(random, 4))),
  (packet, random) => changed(packet, (copy) => copy.set([below(random, 256), below(random, 256)], 2)),
  // A pointer to anywhere.
  (packet, random) =>
    changed(packet, (copy) =>
      copy.set([0xc0 | below(random, 2), below(random, 256)], 12 + below(random, copy.length - 13)),
    ),
  (packet, random) => {
    const at = below(random, packet.length);
    return Buffer.concat([packet.subarray(0, at), packet.subarray(at + 1 + below(random, 4))]);
  },
  (packet, random) => {
    const at = below(random, packet.length);
    const more = Uint8Array.from({ length: 1 + below(random, 12) }, () => below(random, 256));
    return Buffer.concat([packet.subarray(0, at), more, packet.subarray(at)]);
  },
  // A piece of itself once more.
  (packet, random) => {
    const at = below(random, packet.length);
    return Buffer.concat([packet, packet.subarray(at, at + below(random, 40))]);
  },
];

/** Changes a packet in one to four places. */
export function mutate(packet: Uint8Array, random: Random): Uint8Array {
  let mutated = packet;
  for (let i = 1 + below(random, 4); i > 0 && mutated.length > 14; i--) {
    mutated = mutations[below(random, mutations.length)]!(mutated, random);
  }
  return mutated;
}
