/** Record types by name, as IANA numbers them; only those that something here builds, asks for or prints. */
export const RecordType = {
  A: 1,
  NS: 2,
  MD: 3,
  MF: 4,
  CNAME: 5,
  SOA: 6,
  MB: 7,
  MG: 8,
  MR: 9,
  NULL: 10,
  WKS: 11,
  PTR: 12,
  HINFO: 13,
  MINFO: 14,
  MX: 15,
  TXT: 16,
  RP: 17,
  AFSDB: 18,
  RT: 21,
  SIG: 24,
  KEY: 25,
  PX: 26,
  AAAA: 28,
  LOC: 29,
  NXT: 30,
  SRV: 33,
  NAPTR: 35,
  KX: 36,
  CERT: 37,
  DNAME: 39,
  OPT: 41,
  DS: 43,
  SSHFP: 44,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  NSEC3: 50,
  NSEC3PARAM: 51,
  TLSA: 52,
  SMIMEA: 53,
  CDS: 59,
  CDNSKEY: 60,
  SVCB: 64,
  HTTPS: 65,
  SPF: 99,
  IXFR: 251,
  AXFR: 252,
  MAILB: 253,
  ANY: 255,
  URI: 256,
  CAA: 257,
} as const;

/** Classes that queries name. */
export const RecordClass = { IN: 1, CH: 3, HS: 4, NONE: 254, ANY: 255 } as const;

const typeNames = new Map<number, string>(Object.entries(RecordType).map(([name, number]) => [number, name]));
const classNames = new Map<number, string>(Object.entries(RecordClass).map(([name, number]) => [number, name]));

/** `SRV`, or `TYPE4711` (RFC 3597) for a number without a name here. */
export function printRecordType(type: number): string {
  return typeNames.get(type) ?? `TYPE${type}`;
}

/** The number of a type name or of `TYPEn`, in any case; undefined for anything else. */
export function parseRecordType(text: string): number | undefined {
  const upper = text.toUpperCase();
  const known = RecordType[upper as keyof typeof RecordType];
  return known ?? parseNumbered(upper, 'TYPE');
}

/** `IN`, or `CLASS4711` for a number without a name here. */
export function printRecordClass(value: number): string {
  return classNames.get(value) ?? `CLASS${value}`;
}

/** The number of a class name or of `CLASSn`, in any case; undefined for anything else. */
export function parseRecordClass(text: string): number | undefined {
  const upper = text.toUpperCase();
  const known = RecordClass[upper as keyof typeof RecordClass];
  return known ?? parseNumbered(upper, 'CLASS');
}

function parseNumbered(text: string, prefix: string): number | undefined {
  if (!text.startsWith(prefix) || !/^\d{1,5}$/.test(text.slice(prefix.length))) return undefined;
  const value = Number(text.slice(prefix.length));
  return value <= 0xffff ? value : undefined;
}
