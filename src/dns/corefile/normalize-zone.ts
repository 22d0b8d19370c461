import { parseIp } from '../wire/ip.ts';
import { absoluteName, encodeName } from '../wire/name.ts';

/**
 * The zones that a word of a Corefile names, absolute and in lower case: itself, or the reverse zones of a CIDR (several
 * when its mask is not on a label's border). Undefined when it is no domain name.
 */
export function normalizeZones(text: string): readonly string[] | undefined {
  const slash = text.lastIndexOf('/');
  const bytes = slash === -1 ? undefined : parseIp(text.slice(0, slash));
  const bits = Number(text.slice(slash + 1));
  if (bytes !== undefined && Number.isInteger(bits) && bits >= 0 && bits <= bytes.length * 8) {
    return reverseZones(bytes, bits);
  }
  const zone = absoluteName(text).toLowerCase();
  return encodeName(zone) === undefined ? undefined : [zone];
}

/** normalizeZones of several words; those that are no names are left out, as CoreDNS does. */
export function normalizeAll(texts: readonly string[]): readonly string[] {
  return texts.flatMap((text) => normalizeZones(text) ?? []);
}

function reverseZones(bytes: Uint8Array, bits: number): readonly string[] {
  const v4 = bytes.length === 4;
  const labelBits = v4 ? 8 : 4;
  const labels = v4 ? [...bytes] : [...bytes].flatMap((byte) => [byte >> 4, byte & 15]);
  const whole = Math.ceil(bits / labelBits);
  const spare = whole * labelBits - bits;
  const suffix = v4 ? 'in-addr.arpa.' : 'ip6.arpa.';
  return Array.from({ length: 2 ** spare }, (_, i) => {
    const used = labels.slice(0, whole);
    if (spare > 0) used[whole - 1] = ((used[whole - 1]! >> spare) << spare) + i;
    return [...used.reverse().map((label) => label.toString(v4 ? 10 : 16)), suffix].join('.');
  });
}
