/**
 * Domain names. In text they are absolute, end in a dot and escape what is special (`\.`, `\000`) as RFC 1035 and the Go
 * library of CoreDNS print them, so that names from a packet can be compared, logged and rewritten as text.
 */

const MAX_NAME = 255;
const MAX_LABEL = 63;
/** A name has at most 127 labels, so more jumps than that lead nowhere. */
const MAX_POINTERS = 126;
const SPECIAL = new Set([...'. \'@;()"\\'].map((c) => c.charCodeAt(0)));

export interface ReadName {
  readonly name: string;
  /** Where the next field starts: behind the name, or behind its first pointer. */
  readonly end: number;
}

/** Reads the name at `offset` of a message, following pointers; undefined when it is malformed, too long or runs out. */
export function readName(bytes: Uint8Array, offset: number): ReadName | undefined {
  let name = '';
  let length = 1;
  let end = -1;
  let pointers = 0;
  let at = offset;
  for (;;) {
    const head = bytes[at];
    if (head === undefined) return undefined;
    if (head === 0) break;
    if (head >= 0xc0) {
      const low = bytes[at + 1];
      if (low === undefined || ++pointers > MAX_POINTERS) return undefined;
      if (end === -1) end = at + 2;
      at = ((head & 0x3f) << 8) | low;
      continue;
    }
    length += head + 1;
    if (head > MAX_LABEL || at + 1 + head > bytes.length || length > MAX_NAME) return undefined;
    name += `${printLabel(bytes, at + 1, at + 1 + head)}.`;
    at += 1 + head;
  }
  return { name: name === '' ? '.' : name, end: end === -1 ? at + 1 : end };
}

/** The wire form of a name (which may lack the final dot), without compression; undefined when it is not a domain name. */
export function encodeName(name: string): Uint8Array | undefined {
  const bytes = new Uint8Array(MAX_NAME + 1);
  const length = writeName(bytes, 0, name);
  return length === -1 ? undefined : bytes.slice(0, length);
}

/** Writes a name uncompressed at `offset` and returns the offset behind it, or -1 when it is not a domain name. */
export function writeName(bytes: Uint8Array, offset: number, name: string): number {
  let labelAt = offset;
  let at = offset + 1;
  for (let i = name === '.' ? 1 : 0; i < name.length; i++) {
    let code = name.charCodeAt(i);
    if (code === 0x2e) {
      const size = at - labelAt - 1;
      if (size === 0 || size > MAX_LABEL) return -1;
      bytes[labelAt] = size;
      labelAt = at++;
      continue;
    }
    if (code === 0x5c) {
      const escaped = readEscape(name, i);
      if (escaped === -1) return -1;
      i += escaped >= 0x100 ? 3 : 1;
      code = escaped & 0xff;
    } else if (code > 0xff) return -1;
    if (at - offset >= MAX_NAME) return -1;
    bytes[at++] = code;
  }
  const size = at - labelAt - 1;
  if (size > MAX_LABEL) return -1;
  if (size > 0) {
    bytes[labelAt] = size;
    labelAt = at;
  }
  if (labelAt + 1 - offset > MAX_NAME) return -1;
  bytes[labelAt] = 0;
  return labelAt + 1;
}

/** Splits a name into its labels, escapes left in place; the root has none. */
export function splitLabels(name: string): string[] {
  if (name === '.' || name === '') return [];
  const labels: string[] = [];
  let start = 0;
  for (let i = 0; i < name.length; i++) {
    if (name[i] === '\\') i++;
    else if (name[i] === '.') {
      labels.push(name.slice(start, i));
      start = i + 1;
    }
  }
  if (start < name.length) labels.push(name.slice(start));
  return labels;
}

/** Adds the final dot if it is missing. */
export function absoluteName(name: string): string {
  let backslashes = 0;
  while (name[name.length - 2 - backslashes] === '\\') backslashes++;
  return name.endsWith('.') && backslashes % 2 === 0 ? name : `${name}.`;
}

/** True when `name` is `zone` or below it; both absolute, case does not matter. */
export function isSubdomain(zone: string, name: string): boolean {
  if (zone === '.') return true;
  if (name.length < zone.length) return false;
  const start = name.length - zone.length;
  if (name.slice(start).toLowerCase() !== zone.toLowerCase()) return false;
  return start === 0 || (name[start - 1] === '.' && name[start - 2] !== '\\');
}

/** The longest of `zones` that holds `name`, or undefined. */
export function matchZone(zones: readonly string[], name: string): string | undefined {
  let best: string | undefined;
  for (const zone of zones) {
    if (isSubdomain(zone, name) && (best === undefined || zone.length > best.length)) best = zone;
  }
  return best;
}

/** `label.` + zone, where the root zone adds nothing. */
export function joinName(labels: string, zone: string): string {
  return zone === '.' ? `${labels}.` : `${labels}.${zone}`;
}

function printLabel(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (SPECIAL.has(byte)) text += `\\${String.fromCharCode(byte)}`;
    else if (byte < 0x20 || byte > 0x7e) text += `\\${String(byte).padStart(3, '0')}`;
    else text += String.fromCharCode(byte);
  }
  return text;
}

// The byte that the escape at `i` stands for; plus 0x100 for the three-digit form; -1 when it is cut off or too large.
function readEscape(name: string, i: number): number {
  const next = name.charCodeAt(i + 1);
  if (Number.isNaN(next)) return -1;
  if (next < 0x30 || next > 0x39) return next > 0xff ? -1 : next;
  const digits = name.slice(i + 1, i + 4);
  if (!/^\d{3}$/.test(digits) || Number(digits) > 0xff) return -1;
  return Number(digits) | 0x100;
}
