import { describe, expect, it } from 'vitest';
import { encodeMessageFrame, MessageFrames } from '../../../../src/store/etcd/message-frames.ts';
import {
  decodeLease,
  decodeRange,
  decodeTransaction,
  decodeWatch,
  rangeOf,
} from '../../../../src/store/etcd/messages.ts';
import { ProtobufReader } from '../../../../src/store/etcd/protobuf-reader.ts';
import { ProtobufWriter } from '../../../../src/store/etcd/protobuf-writer.ts';
import { seededRandom } from '../../../helpers/seeded-random.ts';

const SCALE = Number(process.env['TOWTANK_FUZZ'] ?? 1);

describe('protobuf', () => {
  it('writes what the specification shows', () => {
    // The examples of the encoding guide: 150 in field 1, "testing" in field 2, a message with the first in field 3.
    const first = new ProtobufWriter().int(1, 150).finish();
    expect(first.toString('hex')).toBe('089601');
    expect(new ProtobufWriter().string(2, 'testing').finish().toString('hex')).toBe('120774657374696e67');
    expect(new ProtobufWriter().message(3, first).finish().toString('hex')).toBe('1a03089601');
    expect(new ProtobufWriter().int(1, 0).bool(2, false).string(3, '').bytes(4, Buffer.alloc(0)).finish()).toHaveLength(
      0,
    );
    expect(new ProtobufWriter().oneofInt(6, 0).finish().toString('hex')).toBe('3000');
    expect(new ProtobufWriter().int64(1, '-1').finish().toString('hex')).toBe('08ffffffffffffffffff01');
  });

  it.each([0, 1, 127, 128, 300, 2 ** 31, 2 ** 32 + 5, Number.MAX_SAFE_INTEGER])(
    'reads the number %d again',
    (value) => {
      const reader = new ProtobufReader(new ProtobufWriter().oneofInt(15, value).finish());
      expect([reader.next(), reader.field, reader.int(), reader.next()]).toEqual([true, 15, value, false]);
    },
  );

  it.each(['1', '9223372036854775807', '-9223372036854775808', '7587862094012345678'])('reads %s again', (value) => {
    const reader = new ProtobufReader(new ProtobufWriter().int64(200, value).finish());
    expect([reader.next(), reader.field, reader.int64(), reader.next()]).toEqual([true, 200, value, false]);
  });

  it('skips fields of every type that nobody reads', () => {
    const known = new ProtobufWriter().int(7, 5).finish();
    // A varint, bytes, eight bytes and four bytes.
    const unread = ['089601', '120161', '190102030405060708', '2501020304'].join('');
    const reader = new ProtobufReader(Buffer.concat([Buffer.from(unread, 'hex'), known]));
    const seen: number[] = [];
    while (reader.next()) seen.push(reader.field === 7 ? reader.int() : -reader.field);
    expect(seen).toEqual([-1, -2, -3, -4, 5]);
  });

  it('throws RangeError, and nothing else, for bytes that are no message (seed 4)', () => {
    const random = seededRandom(4);
    let refused = 0;
    for (let round = 0; round < 500 * SCALE; round++) {
      const bytes = Buffer.from(Array.from({ length: Math.floor(random() * 40) }, () => Math.floor(random() * 256)));
      for (const decode of [decodeRange, decodeTransaction, decodeWatch, decodeLease]) {
        try {
          decode(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
          refused++;
        }
      }
    }
    expect(refused).toBeGreaterThan(200);
  });
});

describe('frames of gRPC', () => {
  it('come out whole, however the body is cut (seed 5)', () => {
    const random = seededRandom(5);
    const messages = Array.from({ length: 40 }, () =>
      Buffer.alloc(Math.floor(random() * 300), Math.floor(random() * 256)),
    );
    const body = Buffer.concat(messages.map(encodeMessageFrame));
    for (let round = 0; round < 50; round++) {
      const frames = new MessageFrames();
      const found: Buffer[] = [];
      for (let at = 0; at < body.length; ) {
        const end = at + 1 + Math.floor(random() * 400);
        found.push(...frames.push(body.subarray(at, end)));
        at = end;
      }
      expect(found.map((message) => message.toString('hex'))).toEqual(
        messages.map((message) => message.toString('hex')),
      );
    }
  });

  it('are refused when compressed', () => {
    expect(() => new MessageFrames().push(Buffer.from([1, 0, 0, 0, 0]))).toThrow(RangeError);
  });
});

describe('the range of a prefix', () => {
  it.each([
    ['/registry/', '2f72656769737472792f', '2f726567697374727930'],
    ['a\u{10ffff}', '61f48fbfbf', '61f48fbfc0'],
    ['', '00', '00'],
  ])('%j', (prefix, key, end) => {
    const range = rangeOf(prefix);
    expect([range.key.toString('hex'), range.end.toString('hex')]).toEqual([key, end]);
  });
});
