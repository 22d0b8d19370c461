import dnsPacket, { type DecodedPacket } from 'dns-packet';

/** A record as vectors write it. */
export interface JudgedRecord {
  readonly name: string;
  readonly type: string;
  readonly ttl: number;
  readonly data: unknown;
}

/** A reply as an independent codec reads it, in the form of vectors. */
export interface JudgedReply {
  readonly id: number;
  readonly rcode: string;
  readonly flags: Readonly<Record<'qr' | 'aa' | 'tc' | 'rd' | 'ra' | 'z' | 'ad' | 'cd', boolean>>;
  readonly opcode: number;
  readonly question: { readonly name: string; readonly type: string; readonly class: string } | undefined;
  readonly answer: readonly JudgedRecord[];
  readonly authority: readonly JudgedRecord[];
  readonly additional: readonly JudgedRecord[];
  readonly edns:
    | { readonly udpSize: number; readonly version: number; readonly do: boolean; readonly options: readonly number[] }
    | undefined;
  readonly bytes: number;
}

const RCODES: Readonly<Record<number, string>> = {
  0: 'NOERROR',
  1: 'FORMERR',
  2: 'SERVFAIL',
  3: 'NXDOMAIN',
  4: 'NOTIMP',
  5: 'REFUSED',
  16: 'BADVERS',
};

interface OptRecord {
  readonly type: 'OPT';
  readonly udpPayloadSize: number;
  readonly extendedRcode: number;
  readonly ednsVersion: number;
  readonly flags: number;
  readonly options: readonly { readonly code: number }[];
}

/** Decodes with dns-packet, which knows nothing of the server's own codec; throws on a malformed message. */
export function judgeReply(bytes: Buffer): JudgedReply {
  const packet: DecodedPacket = dnsPacket.decode(bytes);
  const opt = packet.additionals?.find((record) => record.type === 'OPT') as unknown as OptRecord | undefined;
  const header = bytes.readUInt16BE(2);
  const rcode = (header & 0xf) | ((opt?.extendedRcode ?? 0) << 4);
  const bit = (mask: number): boolean => (header & mask) !== 0;
  const [question] = packet.questions ?? [];
  return {
    id: bytes.readUInt16BE(0),
    rcode: RCODES[rcode] ?? String(rcode),
    flags: {
      ...{ qr: bit(0x8000), aa: bit(0x400), tc: bit(0x200), rd: bit(0x100) },
      ...{ ra: bit(0x80), z: bit(0x40), ad: bit(0x20), cd: bit(0x10) },
    },
    opcode: (header >> 11) & 0xf,
    question: question && { name: dotted(question.name), type: question.type, class: question.class ?? 'IN' },
    answer: toRecords(packet.answers),
    authority: toRecords(packet.authorities),
    additional: toRecords(packet.additionals),
    edns: opt && {
      udpSize: opt.udpPayloadSize,
      version: opt.ednsVersion,
      do: (opt.flags & 0x8000) !== 0,
      options: opt.options.map(({ code }) => code),
    },
    bytes: bytes.length,
  };
}

function toRecords(records: DecodedPacket['answers'] = []): JudgedRecord[] {
  return records
    .filter((record) => record.type !== 'OPT')
    .map((record) => {
      const { name, type, ttl = 0, data } = record as { name: string; type: string; ttl?: number; data: unknown };
      return { name: dotted(name), type, ttl, data: toData(type, data) };
    });
}

function toData(type: string, data: unknown): unknown {
  if (type === 'TXT') return (Array.isArray(data) ? data : [data]).map((part) => Buffer.from(part).toString());
  if (['CNAME', 'NS', 'PTR', 'DNAME'].includes(type)) return dotted(data as string);
  if (type === 'SRV') {
    const { priority, weight, port, target } = data as Record<string, number> & { target: string };
    return { priority, weight, port, target: dotted(target) };
  }
  if (type === 'SOA') {
    const soa = data as { mname: string; rname: string };
    return { ...soa, mname: dotted(soa.mname), rname: dotted(soa.rname) };
  }
  return data;
}

function dotted(name: string): string {
  return name === '.' || name === '' ? '.' : `${name}.`;
}

/** What two servers must agree on: sections as sets, times of the SOA left out. */
export interface ComparableReply {
  readonly rcode: string;
  readonly flags: JudgedReply['flags'];
  readonly question: JudgedReply['question'];
  readonly sections: readonly (readonly string[])[];
  readonly edns: JudgedReply['edns'];
}

export function comparable({
  rcode,
  flags,
  question,
  answer,
  authority,
  additional,
  edns,
}: JudgedReply): ComparableReply {
  const sections = [answer, authority, additional].map((records) => records.map(comparableRecord).sort());
  return { rcode, flags, question, sections, edns };
}

function comparableRecord(record: JudgedRecord): string {
  const { data } = record;
  if (typeof data !== 'object' || data === null || !('serial' in data)) return JSON.stringify(record);
  return JSON.stringify({ ...record, data: { ...data, serial: 0 } });
}
