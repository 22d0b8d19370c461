/** Randomness, injected: a number in [0, 1). */
type Random = () => number;

/** A range of numbers 0 .. size-1 in two bands: what is chosen for somebody comes from the upper one while it lasts. */
export interface BandedRange {
  readonly size: bigint;
  /** Size of the lower band, kept for those who ask for a certain number (KEP-3070); 0 means one band. */
  readonly staticBand: bigint;
}

/** Where searches without randomness go on: behind what the last one found, or thousands that are taken are asked for again. */
export interface Cursor {
  next: bigint;
}

export interface PickOptions {
  readonly isFree: (offset: bigint) => boolean;
  /** Where to start in a band; without it the search starts at the cursor, or at the band's beginning. */
  readonly random?: Random | undefined;
  readonly cursor?: Cursor | undefined;
}

/** Size of the static band of a cluster IP range: a sixteenth, at least 16 and at most 256; none for 16 addresses or fewer. */
export function clusterIPStaticBand(addresses: bigint): bigint {
  return staticBand({ size: addresses, step: 16n, max: 256n });
}

/** Size of the static band of a node port range: a 32nd, at least 16 and at most 128; none for 16 ports or fewer. */
export function nodePortStaticBand(ports: bigint): bigint {
  return staticBand({ size: ports, step: 32n, max: 128n });
}

/** The first free number: upper band before lower band, each searched in a circle. Undefined when the range is full. */
export function pickFree({ size, staticBand: band }: BandedRange, options: PickOptions): bigint | undefined {
  const found = search(band, size, options) ?? search(0n, band, options);
  if (options.cursor && found !== undefined) options.cursor.next = found + 1n;
  return found;
}

function staticBand({
  size,
  step,
  max,
}: {
  readonly size: bigint;
  readonly step: bigint;
  readonly max: bigint;
}): bigint {
  if (size <= 16n) return 0n;
  const band = size / step;
  return band < 16n ? 16n : band > max ? max : band;
}

function search(from: bigint, to: bigint, { isFree, random, cursor }: PickOptions): bigint | undefined {
  const next = cursor && cursor.next >= from && cursor.next < to ? cursor.next : from;
  const start = random === undefined ? next : from + randomBelow(to - from, random);
  for (let at = start; at < to; at++) if (isFree(at)) return at;
  for (let at = from; at < start; at++) if (isFree(at)) return at;
  return undefined;
}

// 53 random bits are all that Random has: in an IPv6 /64 the start lies in the first 2^53 addresses.
function randomBelow(size: bigint, random: Random): bigint {
  const bound = size > 0x1fffffffffffffn ? 0x1fffffffffffff : Number(size);
  return BigInt(Math.floor(random() * bound));
}
