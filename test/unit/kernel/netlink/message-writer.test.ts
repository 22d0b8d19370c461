import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MessageWriter } from '../../../../src/kernel/netlink/message-writer.ts';
import { findAttribute } from '../../../../src/kernel/netlink/rtnetlink-socket.ts';

describe('netlink messages', () => {
  it('carry their length, type, flags and sequence number', () => {
    const w = new MessageWriter();
    w.begin(16, 5, 7);
    w.attributeU32(4, 1500);
    w.end();
    expect(w.bytes().toString('hex')).toBe('18000000' + '1000' + '0500' + '07000000' + '00000000' + '08000400dc050000');
  });

  it('pad attributes with zeros, also over bytes of an earlier batch', () => {
    const w = new MessageWriter(8);
    w.attribute(1, Buffer.alloc(8, 0xff));
    w.truncate(0);
    w.attributeString(3, 'lo');
    expect(w.bytes().toString('hex')).toBe('07000300' + '6c6f0000');
  });

  it('hold any attributes at any nesting, which come out as they went in', () => {
    const attributes = fc.array(fc.tuple(fc.integer({ min: 1, max: 60 }), fc.uint8Array({ maxLength: 40 })), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(attributes, (list) => {
        const w = new MessageWriter(1);
        w.nest(61, () => {
          for (const [type, value] of list) w.attribute(type, value);
        });
        const inner = findAttribute(w.bytes(), 61)!;
        for (const [type] of list) {
          const first = list.find(([other]) => other === type)!;
          expect(findAttribute(inner, type)).toEqual(Buffer.from(first[1]));
        }
      }),
    );
  });
});
