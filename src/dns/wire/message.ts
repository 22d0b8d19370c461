import { type Edns, type EdnsOption, ednsLength, readEdnsOptions } from './edns.ts';
import { readName, writeName } from './name.ts';
import { expandRdata, type ResourceRecord, rdataFields } from './record.ts';
import { RecordType } from './record-type.ts';

export interface Question {
  /** Absolute, in the case of the packet. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
}

export interface Message {
  readonly id: number;
  /** The 16 bits behind the id: QR, opcode, AA, TC, RD, RA, Z, AD, CD, rcode. */
  readonly flags: number;
  readonly questions: readonly Question[];
  readonly answer: readonly ResourceRecord[];
  readonly authority: readonly ResourceRecord[];
  /** Without the OPT record, which is in `edns`. */
  readonly additional: readonly ResourceRecord[];
  readonly edns?: Edns | undefined;
}

export const HEADER_LENGTH = 12;
export const Flag = { QR: 0x8000, AA: 0x0400, TC: 0x0200, RD: 0x0100, RA: 0x0080, AD: 0x0020, CD: 0x0010 } as const;

/** Opcode of the flag bits: 0 query, 4 notify, 5 update. */
export function opcodeOf(flags: number): number {
  return (flags >> 11) & 0xf;
}

/** Response code of a message with the upper bits from its OPT record. */
export function rcodeOf(message: Message): number {
  return (message.flags & 0xf) | ((message.edns?.extendedRcode ?? 0) << 4);
}

/**
 * Reads a message as CoreDNS's library does: counts that promise more than there is are forgiven, bytes behind the end
 * ignored. Undefined when the header is short or a record is malformed.
 */
export function decodeMessage(bytes: Uint8Array): Message | undefined {
  return decodePrefix(bytes)?.message;
}

/** decodeMessage that also gives what could be read of a malformed packet (its question, for the error reply). */
export function decodePrefix(
  bytes: Uint8Array,
): { readonly message: Message | undefined; readonly questions: readonly Question[] } | undefined {
  if (bytes.length < HEADER_LENGTH) return undefined;
  const word = (i: number): number => (bytes[2 * i]! << 8) | bytes[2 * i + 1]!;
  const questions: Question[] = [];
  let at = HEADER_LENGTH;
  for (let i = 0; i < word(2) && at < bytes.length; i++) {
    const read = readQuestion(bytes, at);
    if (read === undefined) return { message: undefined, questions };
    questions.push(read.question);
    at = read.end;
  }
  const sections: ResourceRecord[][] = [];
  let edns: Edns | undefined;
  for (let section = 0; section < 3; section++) {
    const records: ResourceRecord[] = [];
    for (let i = 0; i < word(3 + section) && at < bytes.length; i++) {
      const read = readRecord(bytes, at);
      if (read === undefined) return { message: undefined, questions };
      at = read.end;
      if (section === 2 && read.record.type === RecordType.OPT) {
        // The last OPT record counts, as in CoreDNS.
        edns = toEdns(read.record);
        if (edns === undefined) return { message: undefined, questions };
      } else records.push(read.record);
    }
    sections.push(records);
  }
  const [answer, authority, additional] = sections as [ResourceRecord[], ResourceRecord[], ResourceRecord[]];
  return { message: { id: word(0), flags: word(1), questions, answer, authority, additional, edns }, questions };
}

export interface EncodeOptions {
  /** Largest allowed length in bytes. Records that do not fit are left out from the end and TC is set. */
  readonly limit?: number;
}

/**
 * The wire form with names compressed; what does not fit the limit is cut record by record, the OPT record stays.
 * Throws RangeError when a name is no domain name.
 */
export function encodeMessage(message: Message, options: EncodeOptions = {}): Uint8Array {
  const limit = options.limit ?? 0xffff;
  const edns = message.edns;
  const writer = new MessageWriter(limit - (edns ? ednsLength(edns.options) : 0));
  for (const question of message.questions) writer.question(question);
  const counts = [message.answer, message.authority, message.additional].map((records) => writer.records(records));
  const cut = counts[0]! < message.answer.length || counts[1]! < message.authority.length;
  const truncated = cut || counts[2]! < message.additional.length;
  if (edns !== undefined) writer.opt(edns);
  return writer.finish([
    message.id,
    message.flags | (truncated ? Flag.TC : 0),
    message.questions.length,
    counts[0]!,
    counts[1]!,
    counts[2]! + (edns ? 1 : 0),
  ]);
}

// A record that does not fit is written before that is seen: the largest message plus a name, ten bytes and rdata.
const SCRATCH_LENGTH = 0xffff + 0xffff + 512;
let scratch: Uint8Array | undefined;

class MessageWriter {
  readonly #bytes: Uint8Array;
  readonly #budget: number;
  readonly #names = new Map<string, number>();
  #at = HEADER_LENGTH;
  #full = false;

  constructor(budget: number) {
    this.#budget = budget;
    scratch ??= new Uint8Array(SCRATCH_LENGTH);
    this.#bytes = scratch;
  }

  question({ name, type, class: qclass }: Question): void {
    this.#name(name, true);
    this.#uint16(type);
    this.#uint16(qclass);
  }

  /** Writes whole records while they fit; returns how many did. Once one did not, none behind it is tried. */
  records(records: readonly ResourceRecord[]): number {
    if (this.#full) return 0;
    for (const [i, record] of records.entries()) {
      const start = this.#at;
      this.#record(record);
      if (this.#at > this.#budget) {
        this.#at = start;
        this.#full = true;
        return i;
      }
    }
    return records.length;
  }

  opt(edns: Edns): void {
    this.#bytes[this.#at++] = 0;
    this.#uint16(RecordType.OPT);
    this.#uint16(edns.udpSize);
    this.#uint16((edns.extendedRcode << 8) | edns.version);
    this.#uint16(edns.flags);
    this.#uint16(ednsLength(edns.options) - 11);
    for (const option of edns.options) this.#option(option);
  }

  finish(header: readonly number[]): Uint8Array {
    for (const [i, word] of header.entries()) {
      this.#bytes[2 * i] = word >> 8;
      this.#bytes[2 * i + 1] = word & 0xff;
    }
    return this.#bytes.slice(0, this.#at);
  }

  #option({ code, data }: EdnsOption): void {
    this.#uint16(code);
    this.#uint16(data.length);
    this.#bytes.set(data, this.#at);
    this.#at += data.length;
  }

  #record(record: ResourceRecord): void {
    this.#name(record.name, true);
    this.#uint16(record.type);
    this.#uint16(record.class);
    this.#uint16(record.ttl >>> 16);
    this.#uint16(record.ttl & 0xffff);
    const lengthAt = this.#at;
    this.#at += 2;
    this.#rdata(record);
    const length = this.#at - lengthAt - 2;
    this.#bytes[lengthAt] = length >> 8;
    this.#bytes[lengthAt + 1] = length & 0xff;
  }

  #rdata({ rdata, type }: ResourceRecord): void {
    let at = 0;
    for (const field of rdata.length === 0 ? [] : (rdataFields(type) ?? [])) {
      const size = typeof field === 'number' ? field : field === 'text' ? rdata[at]! + 1 : -1;
      if (size !== -1) {
        this.#raw(rdata.subarray(at, at + size));
        at += size;
      } else {
        const read = readName(rdata, at)!;
        this.#name(read.name, field === 'name');
        at = read.end;
      }
    }
    this.#raw(rdata.subarray(at));
  }

  #raw(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #uint16(value: number): void {
    this.#bytes[this.#at++] = (value >> 8) & 0xff;
    this.#bytes[this.#at++] = value & 0xff;
  }

  // Suffixes are remembered case by case, so that every name keeps its own case.
  #name(name: string, compress: boolean): void {
    let rest = name;
    while (rest !== '.' && rest !== '') {
      const known = this.#names.get(rest);
      if (known !== undefined && compress) {
        this.#uint16(0xc000 | known);
        return;
      }
      if (known === undefined && this.#at < 0x4000) this.#names.set(rest, this.#at);
      const cut = labelEnd(rest);
      const end = cut === 0 ? -1 : writeName(this.#bytes, this.#at, rest.slice(0, cut));
      if (end === -1) throw new RangeError(`not a domain name: ${name}`);
      this.#at = end - 1;
      rest = rest.slice(cut + 1);
    }
    this.#bytes[this.#at++] = 0;
  }
}

function labelEnd(name: string): number {
  let i = 0;
  while (i < name.length && name[i] !== '.') i += name[i] === '\\' ? 2 : 1;
  return i;
}

function readQuestion(bytes: Uint8Array, offset: number): { question: Question; end: number } | undefined {
  const read = readName(bytes, offset);
  if (read === undefined) return undefined;
  const { name, end } = read;
  // A question cut off right behind its name or its type counts with zeros; one cut in the middle of a field does not.
  const missing = end + 4 - bytes.length;
  if (missing === 1 || missing === 3) return undefined;
  const type = missing >= 4 ? 0 : (bytes[end]! << 8) | bytes[end + 1]!;
  const qclass = missing >= 2 ? 0 : (bytes[end + 2]! << 8) | bytes[end + 3]!;
  return { question: { name, type, class: qclass }, end: Math.min(end + 4, bytes.length) };
}

function readRecord(bytes: Uint8Array, offset: number): { record: ResourceRecord; end: number } | undefined {
  const read = readName(bytes, offset);
  if (read === undefined || read.end + 10 > bytes.length) return undefined;
  const at = read.end;
  const type = (bytes[at]! << 8) | bytes[at + 1]!;
  const ttl = ((bytes[at + 4]! << 24) | (bytes[at + 5]! << 16) | (bytes[at + 6]! << 8) | bytes[at + 7]!) >>> 0;
  const end = at + 10 + ((bytes[at + 8]! << 8) | bytes[at + 9]!);
  if (end > bytes.length) return undefined;
  const rdata = expandRdata(bytes, at + 10, end, type);
  if (rdata === undefined) return undefined;
  return { record: { name: read.name, type, class: (bytes[at + 2]! << 8) | bytes[at + 3]!, ttl, rdata }, end };
}

function toEdns({ class: udpSize, ttl, rdata }: ResourceRecord): Edns | undefined {
  const options = readEdnsOptions(rdata, 0, rdata.length);
  if (options === undefined) return undefined;
  return { udpSize, extendedRcode: ttl >>> 24, version: (ttl >>> 16) & 0xff, flags: ttl & 0xffff, options };
}
