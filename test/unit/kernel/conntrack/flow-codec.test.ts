import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeFlow, encodeDelete, encodeList } from '../../../../src/kernel/conntrack/flow-codec.ts';
import { ipBytes, printIp } from '../../../../src/kernel/ffi/ip-bytes.ts';
import { MessageWriter } from '../../../../src/kernel/netlink/message-writer.ts';
import type { ConntrackFlow } from '../../../../src/netfilter/runner.ts';

const ends = { source: '10.244.1.2', destination: '10.96.0.10', sourcePort: 40_000, destinationPort: 53 };
const flow: ConntrackFlow = {
  family: 'ipv4',
  protocol: 'udp',
  original: ends,
  reply: { source: '10.244.2.3', destination: '10.244.1.2', sourcePort: 53, destinationPort: 40_000 },
};
const message = (write: (w: MessageWriter) => void): Buffer => {
  const w = new MessageWriter();
  write(w);
  return w.bytes();
};
const attribute = (type: number, value: Buffer) => message((w) => w.attribute(type, value));
const tuple = ({ source, destination, sourcePort, destinationPort }: typeof ends, protocol: number): Buffer => {
  const v4 = !source.includes(':');
  const ip = Buffer.concat([attribute(v4 ? 1 : 3, ipBytes(source)), attribute(v4 ? 2 : 4, ipBytes(destination))]);
  const port = (type: number, value: number) => attribute(type, Buffer.from([value >> 8, value & 255]));
  const proto = Buffer.concat([attribute(1, Buffer.from([protocol])), port(2, sourcePort), port(3, destinationPort)]);
  return Buffer.concat([attribute(0x8001, ip), attribute(0x8002, proto)]);
};
/** What the kernel lists, without the netlink header. */
const entry = ({ original, reply }: Pick<ConntrackFlow, 'original' | 'reply'>, protocol = 17): Buffer =>
  Buffer.concat([
    Buffer.from([2, 0, 0, 0]),
    attribute(0x8001, tuple(original, protocol)),
    attribute(0x8002, tuple(reply, protocol)),
    attribute(3, Buffer.from([0, 0, 1, 0x8e])),
    attribute(12, Buffer.from('deadbeef', 'hex')),
  ]);

describe('entries of connection tracking', () => {
  it('are read with both directions and the number that tells them apart', () => {
    expect(decodeFlow(entry(flow), flow)).toEqual({ flow, id: Buffer.from('deadbeef', 'hex') });
  });

  it('of other protocols, and of none with ports, are left out', () => {
    expect(decodeFlow(entry(flow, 6), flow)).toBeUndefined();
    expect(decodeFlow(Buffer.from([2, 0, 0, 0]), flow)).toBeUndefined();
    expect(decodeFlow(entry(flow).subarray(0, 40), flow)).toBeUndefined();
  });

  it('any flow comes out as it went in, in both families', () => {
    const port = fc.integer({ min: 0, max: 65_535 });
    const family = fc.constantFrom('ipv4' as const, 'ipv6' as const);
    fc.assert(
      fc.property(
        family,
        fc.infiniteStream(fc.uint8Array({ minLength: 16, maxLength: 16 })),
        port,
        port,
        (of, bytes, a, b) => {
          const address = () => printIp(Buffer.from(bytes.next().value!).subarray(0, of === 'ipv4' ? 4 : 16));
          const side = (sourcePort: number, destinationPort: number) => ({
            source: address(),
            destination: address(),
            sourcePort,
            destinationPort,
          });
          const any: ConntrackFlow = { family: of, protocol: 'sctp', original: side(a, b), reply: side(b, a) };
          expect(decodeFlow(entry(any, 132), any)?.flow).toEqual(any);
        },
      ),
    );
  });

  it('are deleted by their reply direction and their number', () => {
    const id = Buffer.from('deadbeef', 'hex');
    const bytes = message((w) => encodeDelete(w, { flow, id }, 7));
    expect(bytes.subarray(4, 12).toString('hex')).toBe('0201' + '0500' + '07000000');
    expect(
      bytes.subarray(20).equals(Buffer.concat([attribute(0x8002, tuple(flow.reply, 17)), attribute(12, id)])),
    ).toBe(true);
    expect(message((w) => encodeDelete(w, { flow, id: undefined }, 7)).length).toBe(bytes.length - 8);
  });

  it('are asked for by family', () => {
    const bytes = message((w) => encodeList(w, 'ipv6'));
    expect(bytes.toString('hex')).toBe('14000000' + '0101' + '0103' + '01000000' + '00000000' + '0a000000');
  });
});
