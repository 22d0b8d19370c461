import { RecordClass, RecordType } from '../wire/record-type.ts';

/** Where the template has pointers to the zone's name: owner, behind `ns.dns`, behind `hostmaster`. */
export const SOA_POINTERS = [0, 19, 32] as const;
/** Where the 32-bit serial stands. */
export const SOA_SERIAL = 34;

/** The SOA record of a cluster zone as bytes, its pointers and serial left to be filled in; `ttl` in seconds. */
export function buildSoaTemplate(ttl: number): Uint8Array {
  const names = [...Buffer.from('\x02ns\x03dns\xc0\x00\x0ahostmaster\xc0\x00', 'latin1')];
  const numbers = [0, 7200, 1800, 86400, ttl].flatMap(uint32);
  const rdata = [...names, ...numbers];
  const head = [0xc0, 0, 0, RecordType.SOA, 0, RecordClass.IN, ...uint32(Math.min(ttl, 300)), 0, rdata.length];
  return Uint8Array.from([...head, ...rdata]);
}

function uint32(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}
