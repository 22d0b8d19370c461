import dnsPacket from 'dns-packet';
import { expect } from 'vitest';
import { parseRecordClass, parseRecordType } from '../../src/dns/wire/record-type.ts';
import type { JudgedRecord, JudgedReply } from './dns-judge.ts';

/** One line of the vectors-* files. */
export interface AnswerVector {
  readonly id: string;
  readonly config: string;
  readonly source: { readonly kind: string };
  readonly query: {
    readonly qname: string;
    readonly qtype: string;
    readonly qclass?: string;
    readonly rd?: boolean;
    readonly transport?: 'udp' | 'tcp';
    readonly clientIP?: string;
    readonly edns?: {
      readonly udpSize: number;
      readonly version?: number;
      readonly do?: boolean;
      readonly options?: readonly { readonly code?: number; readonly data?: string; readonly ecs?: string }[];
    };
  };
  readonly expect: {
    readonly rcode: string;
    readonly flags: Readonly<Record<string, boolean>>;
    readonly answer: readonly JudgedRecord[] | 'subset';
    readonly authority: readonly JudgedRecord[];
    readonly additional: readonly JudgedRecord[] | 'any';
    readonly edns?: unknown;
    readonly answerSubsetOf?: { readonly qname: string; readonly qtype: string };
    readonly answerCount?: number;
    readonly maxBytes?: number;
    readonly observedBytes?: number;
  };
}

/** The packet of a vector's query. */
export function vectorPacket({ query }: AnswerVector, id: number): Buffer {
  const { edns } = query;
  const packet = dnsPacket.encode({
    id,
    type: 'query',
    flags: query.rd === false ? 0 : 0x0100,
    questions: [{ name: query.qname.replace(/\.$/, '') || '.', type: 'A', class: 'IN' }],
    ...(edns === undefined
      ? {}
      : {
          additionals: [
            {
              ...{ type: 'OPT', name: '.', udpPayloadSize: edns.udpSize, extendedRcode: 0 },
              ...{ ednsVersion: edns.version ?? 0, flags: edns.do ? 0x8000 : 0, flag_do: edns.do ?? false },
              options: (edns.options ?? []).map(toOption),
            },
          ],
        }),
  } as unknown as Parameters<typeof dnsPacket.encode>[0]);
  // The codec does not know every type: the numbers are written over.
  const end = questionEnd(packet);
  packet.writeUInt16BE(parseRecordType(query.qtype)!, end);
  packet.writeUInt16BE(parseRecordClass(query.qclass ?? 'IN')!, end + 2);
  return packet;
}

/** Compares a reply with what a vector expects, sections as sets. */
export function checkVector(vector: AnswerVector, reply: JudgedReply, localIp: string): void {
  const { expect: wanted } = vector;
  expect(reply.rcode).toBe(wanted.rcode);
  expect(reply.flags).toMatchObject(wanted.flags);
  if (wanted.answer !== 'subset') expect(sorted(reply.answer)).toEqual(sorted(wanted.answer, localIp));
  expect(sorted(reply.authority)).toEqual(sorted(wanted.authority));
  if (wanted.additional !== 'any') expect(sorted(reply.additional)).toEqual(sorted(wanted.additional, localIp));
  if (wanted.edns !== undefined) expect(reply.edns ?? null).toEqual(wanted.edns);
  if (wanted.answerCount !== undefined) expect(reply.answer).toHaveLength(wanted.answerCount);
  if (wanted.maxBytes !== undefined) expect(reply.bytes).toBeLessThanOrEqual(wanted.maxBytes);
  // Names are compressed always, so a reply is never larger than CoreDNS's.
  if (wanted.observedBytes !== undefined) expect(reply.bytes).toBeLessThanOrEqual(wanted.observedBytes);
}

function sorted(records: readonly JudgedRecord[], localIp = ''): readonly string[] {
  return records.map((record) => JSON.stringify({ ...record, data: normalize(record.data, localIp) })).sort();
}

function normalize(data: unknown, localIp: string): unknown {
  if (typeof data === 'string') return canonicalAddress(data === '$LOCAL_IP' ? localIp : data);
  if (typeof data === 'object' && data !== null && 'serial' in data) {
    const { mname, rname, refresh, retry, expire, minimum } = data as Record<string, unknown>;
    return { mname, rname, refresh, retry, expire, minimum };
  }
  return data;
}

function canonicalAddress(text: string): string {
  return text.includes(':') && !text.includes(' ') ? new URL(`http://[${text}]/`).hostname : text;
}

function toOption(option: { readonly code?: number; readonly data?: string; readonly ecs?: string }): unknown {
  if (option.ecs !== undefined) return { code: 'CLIENT_SUBNET', ip: option.ecs, sourcePrefixLength: 24 };
  return { code: option.code, data: Buffer.from(option.data ?? '', 'hex') };
}

function questionEnd(packet: Buffer): number {
  let at = 12;
  while (packet[at] !== 0) at += packet[at]! + 1;
  return at + 1;
}
