import { describe, expect, test } from 'vitest';
import { evaluatePacket, type HostRules } from '../../../src/netfilter/evaluate/evaluate-packet.ts';
import { buildRuleset } from '../../../src/proxy/iptables/build-ruleset.ts';
import { buildTable } from '../../../src/proxy/nftables/build-table.ts';
import type { ProxyState } from '../../../src/proxy/proxy-backend.ts';
import { Portals } from '../../../src/proxy/userspace/portals.ts';
import { FakeTransport, NO_SOCKETS } from '../../helpers/fake-transport.ts';
import { loadVectors, packetOf, stateOfVector, type Vector, type VectorPacket } from '../../helpers/proxy-vectors.ts';
import { ourDeviations } from './deviations.ts';

type RulesMode = 'iptables' | 'nftables';

interface Portal {
  readonly rules: HostRules;
  readonly transport: FakeTransport;
}

function portalOf(vector: Vector, mode: RulesMode): Portal {
  const transport = new FakeTransport();
  const portals = new Portals(transport, NO_SOCKETS);
  const state = stateOfVector(vector, mode);
  portals.update(state, state.ports.keys());
  const portalState: ProxyState = { ...state, ports: portals.ports };
  const rules =
    mode === 'nftables'
      ? { nftables: [buildTable(portalState)] }
      : { iptables: [buildRuleset(portalState, { conntrackTcpBeLiberal: false })] };
  return { rules, transport };
}

// Where the rules lead, and from there the proxy. SCTP goes to endpoints directly.
function outcomeOf({ rules, transport }: Portal, vector: Vector, packet: VectorPacket) {
  const { verdict, endpoints, paths } = evaluatePacket(rules, packetOf(packet), {
    localAddresses: vector.nodeState.localIPs,
  });
  return {
    verdict: verdict === 'pass' ? 'passthrough' : verdict,
    endpoints: endpoints.flatMap(({ address }) => transport.targetsOf(address) ?? [address]),
    notes: paths.flatMap(({ notes }) => notes),
  };
}

describe.each(['iptables', 'nftables'] as const)('userspace mode behind %s rules', (mode) => {
  const vectors = loadVectors('packet-flow').filter(({ modes }) => modes.includes(mode));

  test('there are packets to judge', () => {
    expect(vectors.flatMap(({ packets = [] }) => packets).length).toBeGreaterThan(150);
  });

  for (const vector of vectors) {
    const portal = portalOf(vector, mode);
    for (const packet of vector.packets ?? []) {
      if (`${vector.id}/${packet.title}` in ourDeviations) continue;
      test(`${vector.id}: ${packet.title}`, () => {
        const wanted = packet.expectByMode?.[mode] ?? packet.expect;
        expect(outcomeOf(portal, vector, packet)).toEqual({
          verdict: wanted.verdict,
          endpoints: expect.toSatisfy(
            (found: readonly string[]) => [...found].sort().join() === [...wanted.endpoints].sort().join(),
          ),
          notes: [],
        });
      });
    }
  }
});
