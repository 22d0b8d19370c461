import { createHash } from 'node:crypto';

/** Bits of a hash that dealing may use up, so that the last card is nearly as likely to be any. */
export const MAX_HASH_BITS = 60;

/** How many bits of a hash dealing this hand uses up, rounded up. */
export function requiredEntropyBits(deckSize: number, handSize: number): number {
  return Math.ceil(Math.log2(deckSize) * handSize);
}

/** The 64 bits that stand for a flow: one flow schema and what tells its flows apart. */
export function hashFlow(schema: string, distinguisher: string): bigint {
  return createHash('sha256').update(`${schema}\0${distinguisher}`).digest().readBigUInt64LE();
}

/** A hand of different cards of 0 to `deckSize` - 1: the same for the same hash. */
export function dealHand(hash: bigint, deckSize: number, handSize: number): number[] {
  const remainders: number[] = [];
  let rest = hash;
  for (let i = 0; i < handSize; i++) {
    const left = BigInt(deckSize - i);
    remainders.push(Number(rest % left));
    rest /= left;
  }
  return remainders.map((remainder, i) => {
    let card = remainder;
    for (let j = i - 1; j >= 0; j--) if (card >= remainders[j]!) card++;
    return card;
  });
}
