import type { Match, Rule } from '../../netfilter/iptables/rule.ts';
import { PROTOCOL_NUMBERS } from '../ffi/constants.ts';
import { prefixLength, writeAddress } from './encode-address.ts';
import { encodeMatch } from './encode-match.ts';
import { type ExtensionTarget, encodeStandardTarget, encodeTarget } from './encode-target.ts';
import {
  type EntryLayout,
  ERROR_TARGET_BYTES,
  EXTENSION_HEADER_BYTES,
  extensionTemplate,
  STANDARD_TARGET_BYTES,
} from './entry-layout.ts';

/** Rules in the kernel's form, behind each other in a piece of memory; where they will stand in a table is not known yet. */
export interface FreshRules {
  readonly slab: Buffer;
  readonly start: number;
  end: number;
  count: number;
  readonly jumps: Jump[];
}

/** A verdict that depends on where rules will stand. */
export interface Jump {
  /** Where in the slab the verdict is. */
  readonly at: number;
  /** The chain to go on in; undefined for the rule behind this one. */
  readonly chain: string | undefined;
}

const FIRST_SLAB_BYTES = 16_384;
const SLAB_BYTES = 1 << 20;
// More than any rule has of these matches, each once or twice.
const LARGEST_RULE_BYTES = 4096;
const MOST_MATCHES = 8;

const ERROR = extensionTemplate('ERROR', 0, 30);

const INVERSIONS = { 'in-interface': 1, 'out-interface': 2, source: 8, destination: 16, protocol: 64 } as const;
const LONGEST_INTERFACE = 15;

type HeaderMatch = Extract<Match, { readonly kind: keyof typeof INVERSIONS }>;
const isHeaderMatch = (match: Match): match is HeaderMatch => match.kind in INVERSIONS;

/** Writes rules in the kernel's form into memory of its own. */
export class RuleWriter {
  readonly #layout: EntryLayout;
  #slab = Buffer.alloc(FIRST_SLAB_BYTES);
  #at = 0;

  constructor(layout: EntryLayout) {
    this.#layout = layout;
  }

  /** Writes a rule; undefined when it has something that only the program knows to write or to refuse. */
  write({ matches, target }: Rule): FreshRules | undefined {
    if (matches.length > MOST_MATCHES) return undefined;
    const start = this.#reserve();
    const header = this.#writeHeader(matches);
    let at: number | undefined = header === undefined ? undefined : start + this.#layout.headerBytes;
    for (const match of matches) {
      if (at === undefined) break;
      if (!isHeaderMatch(match)) at = encodeMatch(this.#slab, at, match);
    }
    const ended = at === undefined ? undefined : this.#writeTarget(at, target, header);
    if (ended !== undefined) return this.#finish(ended);
    this.#slab.fill(0, start, start + LARGEST_RULE_BYTES);
    return undefined;
  }

  /** Writes the first entry of a chain, which holds its name. */
  writeHead(name: string): FreshRules {
    const at = this.#reserve() + this.#layout.headerBytes;
    this.#slab.set(ERROR, at);
    this.#slab.write(name, at + EXTENSION_HEADER_BYTES);
    return this.#finish({ target: at, end: at + ERROR_TARGET_BYTES });
  }

  /** Writes the last entry of a chain that is no hook's. */
  writeFoot(): FreshRules {
    return this.write({ matches: [], target: { kind: 'return' } })!;
  }

  /** Takes back what was written last. */
  drop({ slab, start, end }: FreshRules): void {
    slab.fill(0, start, end);
    this.#at = start;
  }

  #reserve(): number {
    if (this.#at + LARGEST_RULE_BYTES > this.#slab.length) {
      this.#slab = Buffer.alloc(SLAB_BYTES);
      this.#at = 0;
    }
    return this.#at;
  }

  #finish({ target, end, jump }: EndedRule): FreshRules {
    const start = this.#at;
    const slab = this.#slab;
    slab.writeUInt16LE(target - start, start + this.#layout.targetOffsetAt);
    slab.writeUInt16LE(end - start, start + this.#layout.targetOffsetAt + 2);
    this.#at = end;
    return { slab, start, end, count: 1, jumps: jump === undefined ? [] : [jump] };
  }

  /** Writes what is compared with the packet's own header; returns the protocol, '' for any. */
  #writeHeader(matches: readonly Match[]): string | undefined {
    let seen = 0;
    let inverted = 0;
    let protocol = '';
    for (const match of matches) {
      if (!isHeaderMatch(match)) continue;
      const bit = INVERSIONS[match.kind];
      if ((seen & bit) !== 0 || !this.#writeHeaderMatch(match)) return undefined;
      seen |= bit;
      if (match.not === true) inverted |= bit;
      else if (match.kind === 'protocol') protocol = match.protocol;
    }
    this.#slab[this.#at + this.#layout.inversionsAt] = inverted;
    return protocol;
  }

  #writeHeaderMatch(match: HeaderMatch): boolean {
    const { layout, start } = { layout: this.#layout, start: this.#at };
    switch (match.kind) {
      case 'protocol': {
        const number = PROTOCOL_NUMBERS[match.protocol];
        if (number === undefined) return false;
        this.#slab.writeUInt16LE(number, start + layout.protocolAt);
        this.#slab[start + layout.flagsAt]! |= layout.protocolFlag;
        return true;
      }
      case 'source':
        return this.#writePrefix(start, match.prefix);
      case 'destination':
        return this.#writePrefix(start + layout.addressBytes, match.prefix);
      case 'in-interface':
        return this.#writeInterface(start + layout.interfacesAt, match.name);
      case 'out-interface':
        return this.#writeInterface(start + layout.interfacesAt + 16, match.name);
    }
  }

  // The masks of both addresses stand behind both addresses.
  #writePrefix(at: number, prefix: string): boolean {
    const { family, addressBytes } = this.#layout;
    const slab = this.#slab;
    const mask = at + addressBytes * 2;
    const slash = prefix.indexOf('/');
    const addressEnd = slash === -1 ? prefix.length : slash;
    if (!writeAddress(slab, at, { family, text: prefix, start: 0, end: addressEnd })) return false;
    const length = slash === -1 ? addressBytes * 8 : prefixLength(prefix, slash + 1);
    if (!(length <= addressBytes * 8)) return false;
    for (let index = 0, bits = length; index < addressBytes; index++, bits -= 8) {
      const byte = bits >= 8 ? 0xff : bits <= 0 ? 0 : (0xff00 >> bits) & 0xff;
      slab[mask + index] = byte;
      slab[at + index]! &= byte;
    }
    return true;
  }

  // A name is compared with the zero behind it, the beginning of one without.
  #writeInterface(at: number, name: string): boolean {
    if (name === '' || name.length > LONGEST_INTERFACE || !/^[\x21-\x7e]+$/.test(name)) return false;
    this.#slab.write(name, at, 'latin1');
    this.#slab.fill(0xff, at + 32, at + 32 + (name.endsWith('+') ? name.length - 1 : name.length + 1));
    return true;
  }

  #writeTarget(at: number, target: Rule['target'], protocol: string | undefined): EndedRule | undefined {
    const slab = this.#slab;
    switch (target?.kind) {
      case 'other':
        return undefined;
      case 'accept':
      case 'drop':
      case 'return':
        encodeStandardTarget(slab, at, target.kind);
        return { target: at, end: at + STANDARD_TARGET_BYTES };
      case undefined:
      case 'goto':
      case 'jump':
        if (target?.kind === 'goto') slab[this.#at + this.#layout.flagsAt]! |= this.#layout.gotoFlag;
        encodeStandardTarget(slab, at, undefined);
        return {
          target: at,
          end: at + STANDARD_TARGET_BYTES,
          jump: { at: at + EXTENSION_HEADER_BYTES, chain: target?.chain },
        };
      default: {
        const end = encodeTarget(slab, target as ExtensionTarget, { layout: this.#layout, at, protocol });
        return end === undefined ? undefined : { target: at, end };
      }
    }
  }
}

interface EndedRule {
  readonly target: number;
  readonly end: number;
  readonly jump?: Jump;
}
