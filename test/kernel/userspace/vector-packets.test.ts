import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nodeSockets } from '../../../src/cluster/compose/node-sockets.ts';
import { createConntrackRunner } from '../../../src/kernel/runners/conntrack-runner.ts';
import { createIptablesRunner } from '../../../src/kernel/runners/iptables-runner.ts';
import { createNftRunner } from '../../../src/kernel/runners/nft-runner.ts';
import { familyOf, joinHostPort } from '../../../src/netfilter/address.ts';
import { createBackend } from '../../../src/proxy/create-backend.ts';
import { EngineTransport } from '../../../src/proxy/userspace/engine/engine-transport.ts';
import { DEFAULT_LIMITS } from '../../../src/proxy/userspace/transport.ts';
import { ourDeviations } from '../../conformance/proxy-packets/deviations.ts';
import { leakCheck } from '../../helpers/leak-check.ts';
import { PacketLab, type PacketOutcome } from '../../helpers/packet-lab.ts';
import {
  familyOfVector,
  loadVectors,
  stateOfVector,
  type Vector,
  type VectorPacket,
  type VectorVerdict,
} from '../../helpers/proxy-vectors.ts';
import { systemClock } from '../../helpers/system-clock.ts';

type RulesMode = 'iptables' | 'nftables';

let leaks: ReturnType<typeof leakCheck>;
let transport: EngineTransport;
const errors: unknown[] = [];
beforeAll(() => {
  leaks = leakCheck();
  transport = new EngineTransport({
    limits: DEFAULT_LIMITS,
    threads: 2,
    isLocal: true,
    onError: (error) => errors.push(error),
  });
});
afterAll(async () => {
  await transport[Symbol.asyncDispose]();
  expect(errors).toEqual([]);
  await leaks.finish();
});

// SCTP stays with the kernel; a packet from a host to itself never reaches the node.
const packetsOf = (vector: Vector) =>
  (vector.packets ?? []).filter(
    ({ protocol, title, sourceType, sourceIP, destIP }) =>
      protocol !== 'SCTP' &&
      !(sourceType === 'external' && sourceIP === destIP) &&
      !(`${vector.id}/${title}` in ourDeviations),
  );

const expectedOf = (packet: VectorPacket, mode: RulesMode): VectorVerdict =>
  packet.expectByMode?.[mode] ?? packet.expect;

const patienceFor = ({ verdict }: VectorVerdict): number =>
  verdict === 'drop' || verdict === 'passthrough' ? 300 : 10_000;

function labOf(vector: Vector): Promise<PacketLab> {
  const family = familyOfVector(vector.nodeState);
  const sources = (type: string): string[] => [
    ...new Set(packetsOf(vector).flatMap(({ sourceType, sourceIP }) => (sourceType === type ? [sourceIP] : []))),
  ];
  const backends = (vector.endpointSlices ?? []).flatMap(({ endpoints, ports = [] }) =>
    (endpoints ?? []).flatMap(({ addresses: [ip = ''] }) =>
      familyOf(ip) === family ? ports.map(({ port = 0 }) => joinHostPort(ip, port)) : [],
    ),
  );
  return PacketLab.create('node', {
    family,
    nodeAddresses: vector.nodeState.localIPs.filter((ip) => familyOf(ip) === family),
    backends: [...new Set(backends)],
    pods: sources('pod'),
    outside: sources('external'),
  });
}

// Whom an endpoint sees is the proxy, always: what vectors say of masquerading is of the kernel modes.
function judge(outcome: PacketOutcome, { verdict, endpoints }: VectorVerdict, packet: VectorPacket): void {
  switch (verdict) {
    case 'deliver':
      expect(outcome).toMatchObject({ kind: 'answered' });
      if (outcome.kind !== 'answered') return;
      expect(endpoints).toContain(outcome.backend);
      if (packet.sourceType === 'pod' || packet.sourceType === 'external') {
        expect(outcome.seenSource).not.toBe(packet.sourceIP);
      }
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

describe.each(['nftables', 'iptables'] as const)('real packets through userspace mode behind %s rules', (mode) => {
  const vectors = loadVectors('packet-flow').filter(({ modes }) => modes.includes(mode));

  test.each(vectors.map((vector) => [vector.id, vector] as const))('%s', async (_id, vector) => {
    await using lab = await labOf(vector);
    const backend = await createBackend({
      config: { mode: 'userspace', portalRules: mode },
      family: familyOfVector(vector.nodeState),
      runners: {
        nft: createNftRunner(lab.node),
        iptables: createIptablesRunner(lab.node, { backend: 'auto' }),
        conntrack: createConntrackRunner(lab.node),
      },
      clock: systemClock,
      conntrackTcpBeLiberal: false,
      userspace: { transport, sockets: nodeSockets(lab.node) },
    });
    await backend.sync(stateOfVector(vector, mode), 'all');
    const packets = packetsOf(vector);
    const outcomes = await Promise.all(
      packets.map((packet) =>
        lab.send({
          from: packet.sourceType,
          source: packet.sourceIP,
          protocol: packet.protocol === 'UDP' ? 'udp' : 'tcp',
          destination: packet.destIP,
          port: packet.destPort,
          timeoutMs: patienceFor(expectedOf(packet, mode)),
        }),
      ),
    );
    for (const [index, packet] of packets.entries()) judge(outcomes[index]!, expectedOf(packet, mode), packet);
    await backend.cleanup();
    expect(transport.listeners(vector.nodeState.nodeName, familyOfVector(vector.nodeState)).size).toBe(0);
  });
});
