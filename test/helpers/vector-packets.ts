// The packets of the vectors, really sent: through nftables rules, and through userspace mode.
import { expect } from 'vitest';
import { familyOf, joinHostPort } from '../../src/netfilter/address.ts';
import { ourDeviations } from '../conformance/proxy-packets/deviations.ts';
import { PacketLab, type PacketOutcome, patienceMs } from './packet-lab.ts';
import { familyOfVector, type Vector, type VectorPacket, type VectorVerdict } from './proxy-vectors.ts';

type Answer = Extract<PacketOutcome, { kind: 'answered' }>;

/** A packet that was sent, what became of it, and what should have. */
export interface SentPacket {
  readonly packet: VectorPacket;
  readonly outcome: PacketOutcome;
  readonly expected: VectorVerdict;
}

/**
 * Those that can be sent: the kernel of a test machine may lack SCTP sockets, and a packet from a host to itself never reaches the
 * node. The evaluator judges the others.
 */
export function packetsOf(vector: Vector): readonly VectorPacket[] {
  return (vector.packets ?? []).filter(
    ({ protocol, title, sourceType, sourceIP, destIP }) =>
      protocol !== 'SCTP' &&
      !(sourceType === 'external' && sourceIP === destIP) &&
      !(`${vector.id}/${title}` in ourDeviations),
  );
}

/** A node of that name with what the packets of a vector need around it. */
export function createVectorLab(vector: Vector, name = 'node'): Promise<PacketLab> {
  const family = familyOfVector(vector.nodeState);
  const sources = (type: string): string[] => [
    ...new Set(packetsOf(vector).flatMap(({ sourceType, sourceIP }) => (sourceType === type ? [sourceIP] : []))),
  ];
  const backends = (vector.endpointSlices ?? []).flatMap(({ endpoints, ports = [] }) =>
    (endpoints ?? []).flatMap(({ addresses: [ip = ''] }) =>
      familyOf(ip) === family ? ports.map(({ port = 0 }) => joinHostPort(ip, port)) : [],
    ),
  );
  return PacketLab.create(name, {
    family,
    nodeAddresses: vector.nodeState.localIPs.filter((ip) => familyOf(ip) === family),
    backends: [...new Set(backends)],
    pods: sources('pod'),
    outside: sources('external'),
  });
}

/** Sends all packets of a vector at once. */
export function sendPackets(lab: PacketLab, vector: Vector, mode: 'iptables' | 'nftables'): Promise<SentPacket[]> {
  return Promise.all(
    packetsOf(vector).map(async (packet) => {
      const expected = packet.expectByMode?.[mode] ?? packet.expect;
      const outcome = await lab.send({
        from: packet.sourceType,
        source: packet.sourceIP,
        protocol: packet.protocol === 'UDP' ? 'udp' : 'tcp',
        destination: packet.destIP,
        port: packet.destPort,
        timeoutMs: patienceFor(expected),
      });
      return { packet, outcome, expected };
    }),
  );
}

/** Judges what became of a packet; of one that should be delivered also by what `judgeSource` says of whom the backend saw. */
export function judgePacket(
  { packet, outcome, expected }: SentPacket,
  judgeSource: (answer: Answer, packet: VectorPacket, expected: VectorVerdict) => void,
): void {
  switch (expected.verdict) {
    case 'deliver':
      expect(outcome).toMatchObject({ kind: 'answered' });
      if (outcome.kind !== 'answered') return;
      expect(expected.endpoints).toContain(outcome.backend);
      judgeSource(outcome, packet, expected);
      break;
    case 'reject':
      expect(outcome).toEqual({ kind: 'refused', code: 'ECONNREFUSED' });
      break;
    case 'drop':
      expect(outcome).toEqual({ kind: 'silence' });
      break;
    case 'passthrough':
      expect(outcome.kind).not.toBe('answered');
  }
}

// Who expects an answer waits for it even on a busy machine; silence is believed sooner.
function patienceFor({ verdict }: VectorVerdict): number {
  return verdict === 'drop' || verdict === 'passthrough' ? 300 : patienceMs;
}
