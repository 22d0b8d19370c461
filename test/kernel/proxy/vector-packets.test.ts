import { describe, expect, it } from 'vitest';
import { createIptablesRunner } from '../../../src/kernel/runners/iptables-runner.ts';
import { IptablesBackend } from '../../../src/proxy/iptables/iptables-backend.ts';
import { ourDeviations } from '../../conformance/proxy-packets/deviations.ts';
import { PacketLab, type PacketOutcome, patienceMs } from '../../helpers/packet-lab.ts';
import {
  familyOfVector,
  loadVectors,
  stateOfVector,
  type Vector,
  type VectorPacket,
  type VectorVerdict,
} from '../../helpers/proxy-vectors.ts';

// test/kernel/nftables does the same for the other mode.
const WAYS = ['nft', 'legacy'] as const;

describe.each(WAYS)('real packets on iptables-%s', (way) => {
  // Some packets are waited for in vain: each vector has a network of its own, so that others are sent meanwhile.
  it.concurrent.each(loadVectors('packet-flow').filter(({ modes }) => modes.includes('iptables')))(
    '$id: $title',
    async (vector) => {
      await using lab = await PacketLab.create(`${way}-${vector.id}`, labOf(vector));
      const runner = createIptablesRunner(lab.node, { backend: way });
      const family = familyOfVector(vector.nodeState);
      await new IptablesBackend({ family, runner, conntrackTcpBeLiberal: false }).sync(stateOfVector(vector), 'all');
      for (const packet of vector.packets ?? []) {
        if (!canBeSent(packet) || `${vector.id}/${packet.title}` in ourDeviations) continue;
        const wanted = packet.expectByMode?.iptables ?? packet.expect;
        for (let attempt = 0; attempt < Math.max(1, 2 * wanted.endpoints.length); attempt++) {
          const outcome = await send(lab, packet, wanted.verdict === 'drop' ? 250 : patienceMs);
          expect(describeOutcome(outcome, packet), packet.title).toEqual(describeWanted(wanted, outcome));
        }
      }
    },
  );
});

function labOf({ nodeState, packets: all = [], endpointSlices = [] }: Vector) {
  const packets = all.filter(canBeSent);
  const family = familyOfVector(nodeState);
  const ofFamily = (ip: string): boolean => ip.includes(':') === (family === 'ipv6');
  const sources = (...types: readonly VectorPacket['sourceType'][]): string[] =>
    packets.filter(({ sourceType }) => types.includes(sourceType)).map(({ sourceIP }) => sourceIP);
  const backends = endpointSlices.flatMap(({ endpoints = [], ports = [] }) =>
    endpoints.flatMap(({ addresses: [ip = ''] }) =>
      ports.map(({ port }) => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`)),
    ),
  );
  return {
    family,
    nodeAddresses: [
      nodeState.primaryNodeIP,
      ...nodeState.localIPs.filter((ip) => ip !== nodeState.primaryNodeIP),
    ].filter(ofFamily),
    backends: backends.filter((backend) => /^[[\d]/.test(backend) && ofFamily(backend.replace(/:\d+$/, ''))),
    pods: [...new Set(sources('pod'))],
    outside: [...new Set(sources('external'))],
    passPorts: [...new Set(packets.map(({ destPort }) => destPort))],
  };
}

// UDP and SCTP packets of the vectors pass or are the evaluator's business; a packet to its own source never leaves a host.
function canBeSent({ protocol, sourceIP, destIP }: VectorPacket): boolean {
  return protocol === 'TCP' && sourceIP !== destIP;
}

function send(lab: PacketLab, packet: VectorPacket, timeoutMs: number): Promise<PacketOutcome> {
  const { sourceType, sourceIP, destIP, destPort } = packet;
  return lab.send({
    from: sourceType,
    source: sourceIP,
    protocol: 'tcp',
    destination: destIP,
    port: destPort,
    timeoutMs,
  });
}

function describeOutcome(outcome: PacketOutcome, packet: VectorPacket): unknown {
  if (outcome.kind === 'refused') return { verdict: 'reject', code: outcome.code };
  if (outcome.kind === 'silence') return { verdict: 'drop' };
  if (outcome.backend === 'node' || outcome.backend === 'beyond') return { verdict: 'passthrough' };
  return { verdict: 'deliver', endpoint: outcome.backend, masquerade: outcome.seenSource !== packet.sourceIP };
}

function describeWanted(wanted: VectorVerdict, outcome: PacketOutcome): unknown {
  if (wanted.verdict === 'reject') return { verdict: 'reject', code: 'ECONNREFUSED' };
  if (wanted.verdict !== 'deliver') return { verdict: wanted.verdict };
  const reached = outcome.kind === 'answered' ? outcome.backend : '';
  const endpoint = wanted.endpoints.includes(reached) ? reached : `one of ${wanted.endpoints.join(' ')}`;
  return { verdict: 'deliver', endpoint, masquerade: wanted.masqueradeByEndpoint?.[reached] ?? wanted.masquerade };
}
