import { parseIp, printIp } from './ip.ts';
import { absoluteName, encodeName, readName } from './name.ts';
import { concatBytes, type ResourceRecord, readSoa } from './record.ts';
import {
  parseRecordClass,
  parseRecordType,
  printRecordClass,
  printRecordType,
  RecordClass,
  RecordType,
} from './record-type.ts';

/** One line of a zone file: `name ttl class type rdata`. */
export function printRecord(record: ResourceRecord): string {
  const { name, ttl, type } = record;
  return `${name} ${ttl} ${printRecordClass(record.class)} ${printRecordType(type)} ${printRdata(record)}`;
}

/** rdata as zone files write it; types without a form of their own in the generic one of RFC 3597. */
export function printRdata(record: ResourceRecord): string {
  const { rdata } = record;
  switch (record.type) {
    case RecordType.A:
    case RecordType.AAAA:
      return printIp(rdata);
    case RecordType.CNAME:
    case RecordType.NS:
    case RecordType.PTR:
    case RecordType.DNAME:
      return readName(rdata, 0)?.name ?? '.';
    case RecordType.MX:
      return `${uint16(rdata, 0)} ${readName(rdata, 2)?.name ?? '.'}`;
    case RecordType.SRV:
      return `${uint16(rdata, 0)} ${uint16(rdata, 2)} ${uint16(rdata, 4)} ${readName(rdata, 6)?.name ?? '.'}`;
    case RecordType.TXT:
    case RecordType.SPF:
    case RecordType.HINFO:
      return readStrings(rdata).map(quote).join(' ');
    case RecordType.SOA:
      return printSoa(record);
    default:
      return `\\# ${rdata.length} ${Buffer.from(rdata).toString('hex')}`.trimEnd();
  }
}

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** Reads one record of a zone file; ttl and class may be missing (3600, IN). Undefined when it is malformed or of an unknown type. */
export function parseRecord(text: string): ResourceRecord | undefined {
  const words = splitWords(text);
  const name = words.shift();
  if (name === undefined || encodeName(name.text) === undefined) return undefined;
  let ttl = 3600;
  let recordClass: number = RecordClass.IN;
  for (;;) {
    const word = words[0]?.text ?? '';
    const asClass = parseRecordClass(word);
    const asTtl = parseTtl(word);
    if (asTtl !== undefined) ttl = asTtl;
    else if (asClass !== undefined && parseRecordType(word) === undefined) recordClass = asClass;
    else break;
    words.shift();
  }
  const type = parseRecordType(words.shift()?.text ?? '');
  const rdata = type === undefined ? undefined : parseRdata(type, words);
  if (type === undefined || rdata === undefined || ttl > 0xffffffff) return undefined;
  return { name: absoluteName(name.text), type, class: recordClass, ttl, rdata };
}

interface Word {
  readonly text: string;
  readonly quoted: boolean;
}

function parseRdata(type: number, words: readonly Word[]): Uint8Array | undefined {
  if (words[0]?.text === '\\#') return parseGeneric(words.slice(1));
  const texts = words.map((word) => word.text);
  switch (type) {
    case RecordType.A:
    case RecordType.AAAA: {
      const address = texts.length === 1 ? parseIp(texts[0]!) : undefined;
      return address?.length === (type === RecordType.A ? 4 : 16) ? address : undefined;
    }
    case RecordType.CNAME:
    case RecordType.NS:
    case RecordType.PTR:
    case RecordType.DNAME:
      return parseFields(texts, [], ['name']);
    case RecordType.MX:
      return parseFields(texts, [16], ['name']);
    case RecordType.SRV:
      return parseFields(texts, [16, 16, 16], ['name']);
    case RecordType.SOA:
      return parseSoa(texts);
    case RecordType.TXT:
    case RecordType.SPF:
    case RecordType.HINFO:
      return texts.length === 0 ? undefined : concatBytes(texts.map(charString));
    default:
      return undefined;
  }
}

function parseFields(
  texts: readonly string[],
  numbers: readonly number[],
  names: readonly 'name'[],
): Uint8Array | undefined {
  if (texts.length !== numbers.length + names.length) return undefined;
  const parts: Uint8Array[] = [];
  for (const [i, text] of texts.entries()) {
    const bits = numbers[i];
    const part = bits === undefined ? encodeName(absoluteName(text)) : encodeNumber(text, bits);
    if (part === undefined) return undefined;
    parts.push(part);
  }
  return concatBytes(parts);
}

function parseSoa(texts: readonly string[]): Uint8Array | undefined {
  const [mname = '', rname = '', serial = '', ...times] = texts;
  const parts = [
    encodeName(absoluteName(mname)),
    encodeName(absoluteName(rname)),
    ...[serial, ...times.map((text) => String(parseTtl(text)))].map((text) => encodeNumber(text, 32)),
  ];
  if (times.length !== 4 || parts.includes(undefined)) return undefined;
  return concatBytes(parts as Uint8Array[]);
}

function parseGeneric([length, ...hex]: readonly Word[]): Uint8Array | undefined {
  const digits = hex.map((word) => word.text).join('');
  if (!/^([0-9a-fA-F]{2})*$/.test(digits) || Number(length?.text) * 2 !== digits.length) return undefined;
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}

function encodeNumber(text: string, bits: number): Uint8Array | undefined {
  if (!/^\d{1,10}$/.test(text) || Number(text) >= 2 ** bits) return undefined;
  const bytes = new DataView(new ArrayBuffer(4));
  bytes.setUint32(0, Number(text));
  return new Uint8Array(bytes.buffer).slice(4 - bits / 8);
}

function charString(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'utf8').subarray(0, 255);
  return Uint8Array.from([bytes.length, ...bytes]);
}

function readStrings(rdata: Uint8Array): readonly string[] {
  const strings: string[] = [];
  for (let at = 0; at < rdata.length; at += rdata[at]! + 1) {
    strings.push(Buffer.from(rdata.subarray(at + 1, at + 1 + rdata[at]!)).toString('utf8'));
  }
  return strings;
}

function quote(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

function printSoa(record: ResourceRecord): string {
  const soa = readSoa(record);
  if (soa === undefined) return '';
  const { mname, rname, serial, refresh, retry, expire, minimum } = soa;
  return [mname, rname, serial, refresh, retry, expire, minimum].join(' ');
}

// Seconds, or with units as BIND writes them: 1h30m.
function parseTtl(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text);
  if (!/^(\d+[smhdw])+$/i.test(text)) return undefined;
  const parts = [...text.toLowerCase().matchAll(/(\d+)([smhdw])/g)];
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * SECONDS[unit!]!, 0);
}

// Parentheses only let a record go on over lines, and what follows a semicolon is a comment.
function splitWords(text: string): Word[] {
  const plain = text.replaceAll(/("(?:[^"\\]|\\.)*")|;.*|[()]/g, (_whole, quoted: string | undefined) => quoted ?? ' ');
  return [...plain.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, plain]) =>
    quoted === undefined ? { text: plain!, quoted: false } : { text: quoted.replace(/\\(.)/g, '$1'), quoted: true },
  );
}

function uint16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}
