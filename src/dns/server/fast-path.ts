import type { Random } from '../../kube/clock.ts';
import { isEchoedOption } from '../wire/edns.ts';
import { Flag, HEADER_LENGTH } from '../wire/message.ts';
import { encodeName, readName } from '../wire/name.ts';
import { Rcode } from '../wire/rcode.ts';
import { RecordClass, RecordType } from '../wire/record-type.ts';
import type { AnswerTable, TableEntry } from '../zone/answer-table.ts';
import { copyBytes } from '../zone/compiled-answer.ts';
import { writeShuffled } from './shuffle-addresses.ts';
import { buildSoaTemplate, SOA_POINTERS, SOA_SERIAL } from './soa-template.ts';

export interface FastPathOptions {
  readonly table: AnswerTable;
  readonly random: Random;
  /** False leaves records in the order of the objects. */
  readonly shuffle: boolean;
  readonly zones: readonly FastZoneOptions[];
}

/** A zone that is answered here. */
export interface FastZoneOptions {
  readonly zone: string;
  /** False where missing names fall through to another plugin. */
  readonly denies: boolean;
  /** The zone that metrics count it under. */
  readonly label: string;
}

/** What the query answered last was, for the metrics. */
export interface FastOutcome {
  /** The zone that metrics count it under. */
  zone: string;
  rcode: number;
  type: number;
  dnssec: boolean;
}

/** Where a reply goes: at least 65535 bytes behind `at`. */
export interface ReplySpace {
  readonly bytes: Uint8Array;
  readonly at: number;
}

interface FastZone {
  /** Its SOA record, to be completed. */
  readonly bytes: Uint8Array;
  readonly zoneLength: number;
  readonly denies: boolean;
  readonly label: string;
}

const MIN_SIZE = 512;
const OPT_LENGTH = 11;
const DO_BYTE = 0x80;

/**
 * Answers plain queries for names of a cluster zone from precompiled bytes: no objects, no promises. Whatever is unusual
 * (records in the query, other types and classes, pointers in the question, a reply that does not fit) is left to the
 * plugin chain, which gives the same answer more slowly.
 */
export class FastPath {
  readonly outcome: FastOutcome = { zone: '', rcode: 0, type: 0, dnssec: false };
  readonly #options: FastPathOptions;
  readonly #zones = new Map<string, FastZone>();
  // Of the query in hand.
  #nameEnd = 0;
  #upper = false;
  #optAt = 0;
  #optLength = 0;
  #size = MIN_SIZE;

  constructor(options: FastPathOptions) {
    this.#options = options;
    for (const { zone, denies, label } of options.zones) {
      const bytes = buildSoaTemplate(options.table.view.options.ttl);
      this.#zones.set(zone, { bytes, zoneLength: encodeName(zone)!.length, denies, label });
    }
  }

  /** Writes the reply to `query` into `space` and returns its length, or 0 when the query is not for this path. */
  respond(query: Buffer, space: ReplySpace, tcp: boolean): number {
    if (!this.#readQuestion(query) || !this.#readOpt(query, tcp)) return 0;
    const { table } = this.#options;
    let key = query.toString('latin1', HEADER_LENGTH, this.#nameEnd);
    let entry = table.get(key);
    this.#upper = false;
    if (entry === undefined) {
      const lower = key.toLowerCase();
      this.#upper = lower !== key;
      key = lower;
      entry = table.get(key);
    }
    if (entry !== undefined) return this.#answer(entry, query, space);
    const verdict = table.classify(readName(query, HEADER_LENGTH)!.name.toLowerCase(), key);
    if (verdict.kind === 'entry') return this.#answer(verdict.entry, query, space);
    if (verdict.kind === 'unknown' || !table.view.state.synced) return 0;
    if (this.#zones.get(verdict.zone)?.denies !== true) return 0;
    return this.#deny({ zone: verdict.zone, rcode: Rcode.NXDOMAIN }, query, space);
  }

  // Finds the end of the name and checks that the rest is what this path serves.
  #readQuestion(query: Uint8Array): boolean {
    const length = query.length;
    if (length < HEADER_LENGTH + 5) return false;
    // A query, opcode 0, one question, nothing else but at most one additional record.
    if ((query[2]! & 0xf8) !== 0 || query[4] !== 0 || query[5] !== 1) return false;
    if ((query[6]! | query[7]! | query[8]! | query[9]! | query[10]!) !== 0 || query[11]! > 1) return false;
    let at = HEADER_LENGTH;
    for (;;) {
      const size = query[at];
      if (size === undefined || size > 63) return false;
      at += size + 1;
      if (size === 0) break;
    }
    if (at + 4 > length || at - HEADER_LENGTH > 255) return false;
    if (query[at] !== 0 || query[at + 2] !== 0 || query[at + 3] !== RecordClass.IN) return false;
    const type = query[at + 1]!;
    if (type !== RecordType.A && type !== RecordType.AAAA && type !== RecordType.SRV && type !== RecordType.PTR) {
      return false;
    }
    this.#nameEnd = at;
    this.outcome.type = type;
    return true;
  }

  // Measures the OPT record of the reply; false when the additional record is anything but a plain OPT of version 0.
  #readOpt(query: Uint8Array, tcp: boolean): boolean {
    this.#optAt = 0;
    this.#optLength = 0;
    this.#size = tcp ? 0xffff : MIN_SIZE;
    this.outcome.dnssec = false;
    const at = this.#nameEnd + 4;
    if (query[11] === 0 || at === query.length) return true;
    if (at + OPT_LENGTH > query.length || query[at] !== 0) return false;
    if (query[at + 1] !== 0 || query[at + 2] !== RecordType.OPT || query[at + 6] !== 0) return false;
    const end = at + OPT_LENGTH + ((query[at + 9]! << 8) | query[at + 10]!);
    if (end > query.length) return false;
    const echoed = measureEchoed(query, at + OPT_LENGTH, end);
    if (echoed === -1) return false;
    this.#optAt = at;
    this.#optLength = OPT_LENGTH + echoed;
    if (!tcp) this.#size = Math.max(MIN_SIZE, (query[at + 3]! << 8) | query[at + 4]!);
    this.outcome.dnssec = (query[at + 7]! & DO_BYTE) !== 0;
    return true;
  }

  #answer(entry: TableEntry, query: Uint8Array, space: ReplySpace): number {
    const served = this.#zones.get(entry.zone);
    const compiled = served && this.#options.table.answer(entry, this.outcome.type);
    if (compiled === undefined) return 0;
    if (compiled === null) return this.#deny({ zone: entry.zone, rcode: Rcode.NOERROR }, query, space);
    const { bytes, answerCount, additionalCount } = compiled;
    const questionEnd = this.#nameEnd + 4;
    const length = questionEnd + bytes.length + this.#optLength;
    if (length > this.#size) return 0;
    const { bytes: out, at } = space;
    this.#writeHead(query, space, Rcode.NOERROR);
    out[at + 6] = answerCount >> 8;
    out[at + 7] = answerCount & 0xff;
    out[at + 9] = 0;
    const additional = additionalCount + (this.#optAt === 0 ? 0 : 1);
    out[at + 10] = additional >> 8;
    out[at + 11] = additional & 0xff;
    const start = at + questionEnd;
    if (this.#options.shuffle && compiled.shuffles.length > 0) {
      writeShuffled(compiled, { bytes: out, at: start }, this.#options.random);
    } else copyBytes(bytes, out, { at: start });
    if (this.#upper) {
      const zoneAt = this.#nameEnd - served!.zoneLength;
      for (const spot of compiled.zoneSpots) out.set(query.subarray(zoneAt, this.#nameEnd), start + spot);
    }
    if (this.#optAt !== 0) this.#writeOpt(query, out, start + bytes.length);
    this.outcome.zone = served!.label;
    return length;
  }

  // NODATA or NXDOMAIN: the zone's SOA, whose names point into the question and so take its case.
  #deny({ zone, rcode }: { zone: string; rcode: number }, query: Uint8Array, space: ReplySpace): number {
    const { bytes, zoneLength, label } = this.#zones.get(zone)!;
    const questionEnd = this.#nameEnd + 4;
    const length = questionEnd + bytes.length + this.#optLength;
    if (length > this.#size) return 0;
    const { bytes: out, at } = space;
    this.#writeHead(query, space, rcode);
    out[at + 6] = 0;
    out[at + 7] = 0;
    out[at + 9] = 1;
    out[at + 10] = 0;
    out[at + 11] = this.#optAt === 0 ? 0 : 1;
    const start = at + questionEnd;
    out.set(bytes, start);
    const pointer = this.#nameEnd - zoneLength;
    for (const spot of SOA_POINTERS) {
      out[start + spot] = 0xc0 | (pointer >> 8);
      out[start + spot + 1] = pointer & 0xff;
    }
    const serial = this.#serial(zone);
    out[start + SOA_SERIAL] = serial >>> 24;
    out[start + SOA_SERIAL + 1] = (serial >>> 16) & 0xff;
    out[start + SOA_SERIAL + 2] = (serial >>> 8) & 0xff;
    out[start + SOA_SERIAL + 3] = serial & 0xff;
    if (this.#optAt !== 0) this.#writeOpt(query, out, start + bytes.length);
    this.outcome.zone = label;
    return length;
  }

  #serial(zone: string): number {
    const { state, options } = this.#options.table.view;
    return options.multiclusterZones.includes(zone) ? state.modified.multicluster : state.modified.internal;
  }

  // Id, flags, the count of questions, and the question as it came.
  #writeHead(query: Uint8Array, { bytes: out, at }: ReplySpace, rcode: number): void {
    out[at] = query[0]!;
    out[at + 1] = query[1]!;
    out[at + 2] = (Flag.QR >> 8) | (Flag.AA >> 8) | (query[2]! & (Flag.RD >> 8));
    out[at + 3] = (query[3]! & Flag.CD) | rcode;
    out[at + 4] = 0;
    out[at + 5] = 1;
    out[at + 8] = 0;
    const end = this.#nameEnd + 4;
    for (let i = HEADER_LENGTH; i < end; i++) out[at + i] = query[i]!;
    this.outcome.rcode = rcode;
  }

  #writeOpt(query: Uint8Array, out: Uint8Array, at: number): void {
    const from = this.#optAt;
    const echoed = this.#optLength - OPT_LENGTH;
    // Root, type and the advertised size as they came; no extended code; DO and the upper flag bits echoed.
    for (let i = 0; i < 5; i++) out[at + i] = query[from + i]!;
    out[at + 5] = 0;
    out[at + 6] = 0;
    out[at + 7] = query[from + 7]!;
    out[at + 8] = 0;
    out[at + 9] = echoed >> 8;
    out[at + 10] = echoed & 0xff;
    if (echoed > 0) copyEchoed(query, from + OPT_LENGTH, out.subarray(at + OPT_LENGTH));
  }
}

// Bytes of the options that the reply repeats; -1 when the options are malformed.
function measureEchoed(query: Uint8Array, start: number, end: number): number {
  let echoed = 0;
  let at = start;
  while (at < end) {
    if (at + 4 > end) return -1;
    const size = 4 + ((query[at + 2]! << 8) | query[at + 3]!);
    if (at + size > end) return -1;
    if (isEchoedOption((query[at]! << 8) | query[at + 1]!)) echoed += size;
    at += size;
  }
  return echoed;
}

function copyEchoed(query: Uint8Array, start: number, out: Uint8Array): void {
  const end = start + ((query[start - 2]! << 8) | query[start - 1]!);
  let at = start;
  let next = 0;
  while (at < end) {
    const size = 4 + ((query[at + 2]! << 8) | query[at + 3]!);
    if (isEchoedOption((query[at]! << 8) | query[at + 1]!)) {
      out.set(query.subarray(at, at + size), next);
      next += size;
    }
    at += size;
  }
}
