import { parseIp } from './ip.ts';
import { encodeName, readName } from './name.ts';
import { RecordClass, RecordType } from './record-type.ts';

/** One resource record; `rdata` is in wire form with names uncompressed, so that records can be moved between messages. */
export interface ResourceRecord {
  /** Absolute owner name. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** Seconds. */
  readonly ttl: number;
  readonly rdata: Uint8Array;
}

export interface SoaData {
  readonly mname: string;
  readonly rname: string;
  readonly serial: number;
  readonly refresh: number;
  readonly retry: number;
  readonly expire: number;
  readonly minimum: number;
}

export interface SrvData {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: string;
}

/** Where names stand in rdata: numbers are fixed bytes, `name` a name that may be compressed, `NAME` one that must not be. */
type RdataField = number | 'name' | 'NAME' | 'text';
const fields: Readonly<Record<number, readonly RdataField[]>> = {
  [RecordType.NS]: ['name'],
  [RecordType.MD]: ['name'],
  [RecordType.MF]: ['name'],
  [RecordType.CNAME]: ['name'],
  [RecordType.SOA]: ['name', 'name'],
  [RecordType.MB]: ['name'],
  [RecordType.MG]: ['name'],
  [RecordType.MR]: ['name'],
  [RecordType.PTR]: ['name'],
  [RecordType.MINFO]: ['name', 'name'],
  [RecordType.MX]: [2, 'name'],
  [RecordType.RP]: ['NAME', 'NAME'],
  [RecordType.AFSDB]: [2, 'NAME'],
  [RecordType.RT]: [2, 'NAME'],
  [RecordType.PX]: [2, 'NAME', 'NAME'],
  [RecordType.NXT]: ['NAME'],
  [RecordType.SRV]: [6, 'NAME'],
  [RecordType.NAPTR]: [4, 'text', 'text', 'text', 'NAME'],
  [RecordType.KX]: [2, 'NAME'],
  [RecordType.DNAME]: ['NAME'],
  [RecordType.SIG]: [18, 'NAME'],
  [RecordType.RRSIG]: [18, 'NAME'],
  [RecordType.NSEC]: ['NAME'],
};

/** The layout of a type's rdata up to its last name; undefined for a type without names. */
export function rdataFields(type: number): readonly RdataField[] | undefined {
  return fields[type];
}

/** Copies rdata out of a message with its names uncompressed; undefined when it does not fit the type. */
export function expandRdata(message: Uint8Array, start: number, end: number, type: number): Uint8Array | undefined {
  if (type === RecordType.A && end - start !== 4 && end !== start) return undefined;
  if (type === RecordType.AAAA && end - start !== 16 && end !== start) return undefined;
  const layout = fields[type];
  if (layout === undefined || start === end) return message.slice(start, end);
  const parts: Uint8Array[] = [];
  let at = start;
  for (const field of layout) {
    if (typeof field === 'number' || field === 'text') {
      const size = typeof field === 'number' ? field : (message[at] ?? 0) + 1;
      parts.push(message.subarray(at, at + size));
      at += size;
    } else {
      const read = readName(message, at);
      if (read === undefined) return undefined;
      parts.push(encodeName(read.name)!);
      at = read.end;
    }
    if (at > end) return undefined;
  }
  parts.push(message.subarray(at, end));
  return concatBytes(parts);
}

/** One array of several. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A or AAAA by the family of `address`; undefined when it is no IP literal. */
export function addressRecord(name: string, ttl: number, address: string): ResourceRecord | undefined {
  const rdata = parseIp(address);
  if (rdata === undefined) return undefined;
  return { name, type: rdata.length === 4 ? RecordType.A : RecordType.AAAA, class: RecordClass.IN, ttl, rdata };
}

/** CNAME, PTR, NS or DNAME. Throws RangeError when `target` is no domain name. */
export function nameRecord(name: string, type: number, ttl: number, target: string): ResourceRecord {
  return { name, type, class: RecordClass.IN, ttl, rdata: nameBytes(target) };
}

export function srvRecord(name: string, ttl: number, data: SrvData): ResourceRecord {
  const head = uint16s([data.priority, data.weight, data.port & 0xffff]);
  const rdata = concatBytes([head, nameBytes(data.target)]);
  return { name, type: RecordType.SRV, class: RecordClass.IN, ttl, rdata };
}

export function soaRecord(name: string, ttl: number, data: SoaData): ResourceRecord {
  const numbers = new DataView(new ArrayBuffer(20));
  [data.serial, data.refresh, data.retry, data.expire, data.minimum].forEach((value, i) => {
    numbers.setUint32(4 * i, value >>> 0);
  });
  const rdata = concatBytes([nameBytes(data.mname), nameBytes(data.rname), new Uint8Array(numbers.buffer)]);
  return { name, type: RecordType.SOA, class: RecordClass.IN, ttl, rdata };
}

/** TXT of strings of at most 255 bytes each. */
export function txtRecord(name: string, ttl: number, strings: readonly string[]): ResourceRecord {
  const parts = strings.flatMap((text) => {
    const bytes = Buffer.from(text, 'utf8').subarray(0, 255);
    return [Uint8Array.of(bytes.length), bytes];
  });
  return { name, type: RecordType.TXT, class: RecordClass.IN, ttl, rdata: concatBytes(parts) };
}

/** The target of a record whose rdata ends in, or is, a name: CNAME, NS, PTR, DNAME, SRV, MX. */
export function targetOf(record: ResourceRecord): string {
  const skip = record.type === RecordType.SRV ? 6 : record.type === RecordType.MX ? 2 : 0;
  return readName(record.rdata, skip)?.name ?? '.';
}

/** The record with the first name of its rdata replaced: the target of CNAME, NS, PTR, SRV, MX; the primary of SOA. */
export function mapTarget(record: ResourceRecord, map: (target: string) => string): ResourceRecord {
  const { rdata, type } = record;
  let at = 0;
  for (const field of fields[type] ?? []) {
    if (typeof field === 'number') at += field;
    else if (field === 'text') at += (rdata[at] ?? 0) + 1;
    else {
      const read = readName(rdata, at);
      if (read === undefined) return record;
      const target = map(read.name);
      if (target === read.name) return record;
      return { ...record, rdata: concatBytes([rdata.subarray(0, at), nameBytes(target), rdata.subarray(read.end)]) };
    }
  }
  return record;
}

/** The fields of a SOA record; undefined for another type or malformed rdata. */
export function readSoa({ type, rdata }: ResourceRecord): SoaData | undefined {
  const mname = type === RecordType.SOA ? readName(rdata, 0) : undefined;
  const rname = mname && readName(rdata, mname.end);
  if (mname === undefined || rname === undefined || rdata.length - rname.end !== 20) return undefined;
  const view = new DataView(rdata.buffer, rdata.byteOffset + rname.end, 20);
  const [serial, refresh, retry, expire, minimum] = [0, 4, 8, 12, 16].map((at) => view.getUint32(at));
  return {
    ...{ mname: mname.name, rname: rname.name, serial: serial!, refresh: refresh! },
    ...{ retry: retry!, expire: expire!, minimum: minimum! },
  };
}

function nameBytes(name: string): Uint8Array {
  const bytes = encodeName(name);
  if (bytes === undefined) throw new RangeError(`not a domain name: ${name}`);
  return bytes;
}

function uint16s(values: readonly number[]): Uint8Array {
  return Uint8Array.from(values.flatMap((value) => [value >> 8, value & 0xff]));
}
