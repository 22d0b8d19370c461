import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createNftRunner } from '../../../src/kernel/runners/nft-runner.ts';
import { familyOf, joinHostPort } from '../../../src/netfilter/address.ts';
import { NftablesBackend } from '../../../src/proxy/nftables/nftables-backend.ts';
import { ourDeviations } from '../../conformance/proxy-packets/deviations.ts';
import { leakCheck } from '../../helpers/leak-check.ts';
import { PacketLab, type PacketOutcome, patienceMs } from '../../helpers/packet-lab.ts';
import {
  familyOfVector,
  loadVectors,
  stateOfVector,
  type Vector,
  type VectorPacket,
  type VectorVerdict,
} from '../../helpers/proxy-vectors.ts';
import { SteppedClock } from '../../helpers/stepped-clock.ts';

const vectors = loadVectors('packet-flow').filter(({ modes }) => modes.includes('nftables'));

let leaks: ReturnType<typeof leakCheck>;
beforeAll(() => {
  leaks = leakCheck();
});
afterAll(() => leaks.finish());

// The kernel of a test machine may lack SCTP sockets, and a packet from a host to itself never reaches the node: the
// evaluator judges those.
const packetsOf = (vector: Vector) =>
  (vector.packets ?? []).filter(
    ({ protocol, title, sourceType, sourceIP, destIP }) =>
      protocol !== 'SCTP' &&
      !(sourceType === 'external' && sourceIP === destIP) &&
      !(`${vector.id}/${title}` in ourDeviations),
  );

const expectedOf = (packet: VectorPacket): VectorVerdict => packet.expectByMode?.nftables ?? packet.expect;

// Who expects an answer waits for it even on a busy machine; silence is believed sooner.
const patienceFor = ({ verdict }: VectorVerdict): number =>
  verdict === 'drop' || verdict === 'passthrough' ? 300 : patienceMs;

function backendsOf(vector: Vector): string[] {
  const family = familyOfVector(vector.nodeState);
  return (vector.endpointSlices ?? []).flatMap(({ endpoints, ports = [] }) =>
    (endpoints ?? []).flatMap(({ addresses: [ip = ''] }) =>
      familyOf(ip) === family ? ports.map(({ port = 0 }) => joinHostPort(ip, port)) : [],
    ),
  );
}

function labOf(vector: Vector): Promise<PacketLab> {
  const family = familyOfVector(vector.nodeState);
  const sources = (type: string): string[] => [
    ...new Set(packetsOf(vector).flatMap(({ sourceType, sourceIP }) => (sourceType === type ? [sourceIP] : []))),
  ];
  return PacketLab.create('node', {
    family,
    nodeAddresses: vector.nodeState.localIPs.filter((ip) => familyOf(ip) === family),
    backends: [...new Set(backendsOf(vector))],
    pods: sources('pod'),
    outside: sources('external'),
  });
}

function judge(outcome: PacketOutcome, expected: VectorVerdict, source: string): void {
  switch (expected.verdict) {
    case 'deliver': {
      expect(outcome).toMatchObject({ kind: 'answered' });
      if (outcome.kind !== 'answered') return;
      expect(expected.endpoints).toContain(outcome.backend);
      const masquerade = expected.masqueradeByEndpoint?.[outcome.backend] ?? expected.masquerade;
      expect(outcome.seenSource !== source, `${outcome.backend} sees ${outcome.seenSource}`).toBe(masquerade);
      break;
    }
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

describe.each([
  { form: 'inline', inlineLimit: 1000 },
  { form: 'shared', inlineLimit: -1 },
])('real packets through nftables rules with $form endpoints', ({ inlineLimit }) => {
  test('there are packets to send', () => {
    expect(vectors.flatMap(packetsOf).length).toBeGreaterThan(150);
  });

  test.each(vectors.map((vector) => [vector.id, vector] as const))('%s', async (_id, vector) => {
    await using lab = await labOf(vector);
    const runner = createNftRunner(lab.node);
    const family = familyOfVector(vector.nodeState);
    const backend = new NftablesBackend({ family, runner, clock: new SteppedClock(), inlineLimit });
    await backend.sync(stateOfVector(vector, 'nftables'), 'all');
    const outcomes = await Promise.all(
      packetsOf(vector).map((packet) =>
        lab.send({
          from: packet.sourceType,
          source: packet.sourceIP,
          protocol: packet.protocol === 'UDP' ? 'udp' : 'tcp',
          destination: packet.destIP,
          port: packet.destPort,
          timeoutMs: patienceFor(expectedOf(packet)),
        }),
      ),
    );
    for (const [index, packet] of packetsOf(vector).entries()) {
      judge(outcomes[index]!, expectedOf(packet), packet.sourceIP);
    }
  });
});
