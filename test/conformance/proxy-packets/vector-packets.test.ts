import { describe, expect, test } from 'vitest';
import { evaluatePacket, type HostRules } from '../../../src/netfilter/evaluate/evaluate-packet.ts';
import { parseRuleset } from '../../../src/netfilter/iptables/parse-ruleset.ts';
import { printRuleset } from '../../../src/netfilter/iptables/print-ruleset.ts';
import { parseTables } from '../../../src/netfilter/nftables/parse-tables.ts';
import { printTable } from '../../../src/netfilter/nftables/print-table.ts';
import { buildRuleset } from '../../../src/proxy/iptables/build-ruleset.ts';
import { buildTable } from '../../../src/proxy/nftables/build-table.ts';
import {
  familyOfVector,
  loadVectors,
  packetOf,
  recordedOutput,
  stateOfVector,
  type Vector,
  type VectorPacket,
} from '../../helpers/proxy-vectors.ts';
import { ourDeviations, recordedDeviations } from './deviations.ts';

type Mode = 'iptables' | 'nftables';

const vectors = loadVectors('packet-flow');
const modes: readonly Mode[] = ['iptables', 'nftables'];
const forms = ['data', 'text', 'recorded'] as const;

// Rules as they are built, as they are after they were printed and read again, and as kube-proxy 1.30 wrote them.
function rulesOf(vector: Vector, mode: Mode, form: (typeof forms)[number]): HostRules | undefined {
  if (form === 'recorded') return recordedRules(vector, mode);
  const state = stateOfVector(vector, mode);
  if (mode === 'nftables') {
    const table = buildTable(state);
    return { nftables: form === 'data' ? [table] : parseTables(printTable(table)) };
  }
  const ruleset = buildRuleset(state, { conntrackTcpBeLiberal: false });
  return { iptables: [form === 'data' ? ruleset : parseRuleset(state.family, printRuleset(ruleset))] };
}

function isDeviation(packet: string, mode: Mode, form: (typeof forms)[number]): boolean {
  return form === 'recorded' ? `${mode}/${packet}` in recordedDeviations : packet in ourDeviations;
}

function recordedRules(vector: Vector, mode: Mode): HostRules | undefined {
  const text = recordedOutput(vector.id, mode);
  if (text === undefined) return undefined;
  if (mode === 'nftables') return { nftables: parseTables(text) };
  return { iptables: [parseRuleset(familyOfVector(vector.nodeState), text)] };
}

function outcomeOf(rules: HostRules, vector: Vector, packet: VectorPacket) {
  const evaluation = evaluatePacket(rules, packetOf(packet), { localAddresses: vector.nodeState.localIPs });
  const { verdict, endpoints, paths } = evaluation;
  return {
    verdict: verdict === 'pass' ? 'passthrough' : verdict,
    masquerade: Object.fromEntries(endpoints.map(({ address, masquerade }) => [address, masquerade])),
    shares: endpoints.map(({ probability }) => probability),
    accepted: paths.some(({ accepted }) => accepted),
    notes: paths.flatMap(({ notes }) => notes),
  };
}

test('there are packets to judge', () => {
  expect(vectors.flatMap(({ packets = [] }) => packets).length).toBeGreaterThan(200);
});

for (const mode of modes) {
  for (const form of forms) {
    describe(`${mode} rules as ${form}`, () => {
      for (const vector of vectors.filter((candidate) => candidate.modes.includes(mode))) {
        const rules = rulesOf(vector, mode, form);
        if (rules === undefined) continue;
        for (const packet of vector.packets ?? []) {
          if (isDeviation(`${vector.id}/${packet.title}`, mode, form)) continue;
          test(`${vector.id}: ${packet.title}`, () => {
            const wanted = packet.expectByMode?.[mode] ?? packet.expect;
            const outcome = outcomeOf(rules, vector, packet);
            expect(outcome.notes).toEqual([]);
            expect(outcome.verdict).toBe(wanted.verdict);
            expect(outcome.masquerade).toEqual(
              Object.fromEntries(
                wanted.endpoints.map((address) => [
                  address,
                  wanted.masqueradeByEndpoint?.[address] ?? wanted.masquerade,
                ]),
              ),
            );
            for (const share of outcome.shares) expect(share).toBeCloseTo(1 / wanted.endpoints.length, 6);
            if (wanted.filterAccept === true) expect(outcome.accepted).toBe(true);
          });
        }
      }
    });
  }
}
