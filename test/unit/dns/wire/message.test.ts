import dnsPacket from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { extendedError } from '../../../../src/dns/wire/edns.ts';
import { decodeMessage, encodeMessage, Flag, type Message, rcodeOf } from '../../../../src/dns/wire/message.ts';
import {
  addressRecord,
  nameRecord,
  type ResourceRecord,
  soaRecord,
  srvRecord,
  txtRecord,
} from '../../../../src/dns/wire/record.ts';
import { RecordClass, RecordType } from '../../../../src/dns/wire/record-type.ts';
import { judgeReply } from '../../../helpers/dns-judge.ts';

const label = fc.stringMatching(/^[a-z0-9-]{1,12}$/);
const name = fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => `${labels.join('.')}.`);
const ttl = fc.integer({ min: 0, max: 2 ** 31 });
const port = fc.integer({ min: 0, max: 65535 });
const record: fc.Arbitrary<ResourceRecord> = fc.oneof(
  fc.tuple(name, ttl, fc.ipV4()).map(([owner, seconds, address]) => addressRecord(owner, seconds, address)!),
  fc.tuple(name, ttl, name).map(([owner, seconds, target]) => nameRecord(owner, RecordType.CNAME, seconds, target)),
  fc.tuple(name, ttl, name).map(([owner, seconds, target]) => nameRecord(owner, RecordType.PTR, seconds, target)),
  fc.tuple(name, ttl, fc.array(label)).map(([owner, seconds, strings]) => txtRecord(owner, seconds, ['x', ...strings])),
  fc
    .tuple(name, ttl, name, port)
    .map(([owner, seconds, target, number]) =>
      srvRecord(owner, seconds, { priority: 1, weight: 2, port: number, target }),
    ),
  fc
    .tuple(name, ttl, name, name)
    .map(([owner, seconds, mname, rname]) =>
      soaRecord(owner, seconds, { mname, rname, serial: 2 ** 32 - 1, refresh: 1, retry: 2, expire: 3, minimum: 4 }),
    ),
);

function message(fields: Partial<Message> = {}): Message {
  const questions = [{ name: 'web.shop.', type: RecordType.A, class: RecordClass.IN }];
  return { id: 7, flags: Flag.QR, questions, answer: [], authority: [], additional: [], ...fields };
}

describe('encodeMessage', () => {
  it('writes what it and an independent codec read back', () => {
    fc.assert(
      fc.property(fc.array(record), fc.array(record), fc.array(record), (answer, authority, additional) => {
        const original = message({ answer, authority, additional });
        const bytes = encodeMessage(original);
        expect(decodeMessage(bytes)).toEqual({ ...original, edns: undefined });
        const judged = judgeReply(Buffer.from(bytes));
        expect(judged.answer.map((read) => read.name)).toEqual(answer.map((written) => written.name));
        expect(judged.additional.map((read) => read.ttl)).toEqual(additional.map((written) => written.ttl));
      }),
    );
  });

  it('points at names written before, but never inside SRV', () => {
    const srv = srvRecord('web.shop.', 5, { priority: 0, weight: 100, port: 80, target: 'web.shop.' });
    const address = addressRecord('web.shop.', 5, '10.0.0.1')!;
    const bytes = encodeMessage(message({ answer: [srv], additional: [address] }));
    // Header, question, owner pointer + ten bytes + priority, weight, port + the whole target, then a pointer again.
    expect(bytes).toHaveLength(12 + 14 + (2 + 10 + 6 + 10) + (2 + 10 + 4));
    expect(() => dnsPacket.decode(Buffer.from(bytes))).not.toThrow();
  });

  it('cuts whole records from the end and sets TC, and keeps the OPT record', () => {
    const answer = Array.from({ length: 120 }, (_, i) => addressRecord('web.shop.', 30, `10.0.0.${i}`)!);
    const edns = { udpSize: 512, version: 0, flags: 0, extendedRcode: 0, options: [] };
    const bytes = encodeMessage(message({ answer, edns }), { limit: 512 });
    const judged = judgeReply(Buffer.from(bytes));
    expect(judged.flags.tc).toBe(true);
    expect(judged.edns?.udpSize).toBe(512);
    expect(judged.answer).toHaveLength(Math.floor((512 - 11 - 26) / 16));
    expect(bytes.length).toBeLessThanOrEqual(512);
  });

  it('drops additional records first, and tries no smaller one behind what did not fit', () => {
    const answer = [addressRecord('web.shop.', 30, '10.0.0.1')!];
    const additional = [txtRecord('a.', 1, ['x'.repeat(200), 'y'.repeat(255)]), addressRecord('b.', 1, '10.0.0.2')!];
    const judged = judgeReply(Buffer.from(encodeMessage(message({ answer, additional }), { limit: 300 })));
    expect([judged.answer.length, judged.additional.length, judged.flags.tc]).toEqual([1, 0, true]);
  });

  it('never exceeds the limit', () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 60 }), fc.integer({ min: 512, max: 4096 }), (answer, limit) => {
        expect(encodeMessage(message({ answer }), { limit }).length).toBeLessThanOrEqual(limit);
      }),
    );
  });

  it('refuses a name that is none', () => {
    expect(() => encodeMessage(message({ questions: [{ name: 'a..b.', type: 1, class: 1 }] }))).toThrow(RangeError);
  });
});

describe('decodeMessage', () => {
  it('forgives counts that promise more than there is, and bytes behind the end', () => {
    const bytes = Buffer.concat([encodeMessage(message()), Buffer.from('trailing')]);
    bytes.writeUInt16BE(9, 4);
    expect(decodeMessage(encodeMessage(message()))?.questions).toHaveLength(1);
    expect(decodeMessage(bytes.subarray(0, -8))?.questions).toHaveLength(1);
  });

  it('refuses a record whose address has the wrong length or whose data runs out', () => {
    const bytes = encodeMessage(message({ answer: [addressRecord('web.shop.', 5, '10.0.0.1')!] }));
    const wrongLength = Buffer.from(bytes);
    wrongLength.writeUInt16BE(3, bytes.length - 6);
    expect(decodeMessage(wrongLength)).toBeUndefined();
    expect(decodeMessage(bytes.subarray(0, -1))).toBeUndefined();
  });

  it('joins the upper bits of the response code from the OPT record', () => {
    const edns = { udpSize: 0, version: 0, flags: 0x8000, extendedRcode: 1, options: [extendedError(23, 'why')] };
    const read = decodeMessage(encodeMessage(message({ edns })))!;
    expect(rcodeOf(read)).toBe(16);
    expect(read.edns).toEqual(edns);
  });

  it('never throws and never hangs on mutated bytes', () => {
    const seed = encodeMessage(message({ answer: [addressRecord('web.shop.', 5, '10.0.0.1')!] }));
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(seed.length - 1), fc.nat(255)), { maxLength: 8 }), (changes) => {
        const bytes = Uint8Array.from(seed);
        for (const [at, value] of changes) bytes[at] = value;
        const read = decodeMessage(bytes);
        if (read !== undefined) expect(() => encodeMessage(read)).not.toThrow();
      }),
      { numRuns: 2000 },
    );
  });
});
