import { describe, expect, test } from 'vitest';
import type { EndpointSlice } from '../../../src/kube/generated/types.ts';
import { evaluatePacket, type HostRules, type PacketPath } from '../../../src/netfilter/evaluate/evaluate-packet.ts';
import { buildRuleset } from '../../../src/proxy/iptables/build-ruleset.ts';
import { buildTable } from '../../../src/proxy/nftables/build-table.ts';
import { loadVectors, stateOfVector, type Vector } from '../../helpers/proxy-vectors.ts';

interface Step {
  /** Seconds. */
  readonly at: number;
  readonly packet?: {
    readonly sourceIP: string;
    readonly protocol: string;
    readonly destIP: string;
    readonly destPort: number;
  };
  readonly remember?: string;
  readonly removeEndpoint?: string;
  readonly expectSameAs?: string;
  readonly expectNot?: string;
  readonly expectOneOf?: readonly string[];
  readonly modes?: readonly string[];
}

interface Sequence extends Vector {
  readonly steps: readonly Step[];
}

type Mode = 'iptables' | 'nftables';

const timeoutSeconds = 10_800;

function rulesOf(vector: Vector, mode: Mode): HostRules {
  const state = stateOfVector(vector, mode);
  return mode === 'nftables'
    ? { nftables: [buildTable(state)] }
    : { iptables: [buildRuleset(state, { conntrackTcpBeLiberal: false })] };
}

function without(vector: Sequence, endpoint: string): Sequence {
  const drop = (slice: EndpointSlice): EndpointSlice => ({
    ...slice,
    endpoints: (slice.endpoints ?? []).filter(({ addresses }) => !endpoint.startsWith(`${addresses[0]}:`)),
  });
  return { ...vector, endpointSlices: (vector.endpointSlices ?? []).map(drop) };
}

/** What a kernel remembers: list > client > when it was last seen. */
class Memory {
  readonly #seen = new Map<string, Map<string, number>>();

  at(now: number): ReadonlyMap<string, ReadonlySet<string>> {
    return new Map(
      [...this.#seen].map(([list, clients]) => [
        list,
        new Set([...clients].filter(([, seen]) => now - seen < timeoutSeconds).map(([client]) => client)),
      ]),
    );
  }

  note({ remembers }: PacketPath, now: number): void {
    for (const { list, client } of remembers) {
      this.#seen.set(list, (this.#seen.get(list) ?? new Map<string, number>()).set(client, now));
    }
  }
}

describe.each(['iptables', 'nftables'] as const)('session affinity over time in %s mode', (mode) => {
  const sequences = loadVectors<Sequence>('affinity-sequence');

  test('there are sequences', () => {
    expect(sequences.length).toBeGreaterThan(1);
  });

  // Chance may choose any way: each is played from the first choice on.
  describe.each(sequences.map((sequence) => [sequence.id, sequence] as const))('%s', (_id, sequence) => {
    test.each([0, 1])('whichever endpoint the first connection took (choice %i)', (choice) => {
      const memory = new Memory();
      const named = new Map<string, string | undefined>();
      let vector = sequence;
      for (const step of sequence.steps) {
        if (step.modes !== undefined && !step.modes.includes(mode)) continue;
        if (step.removeEndpoint !== undefined) vector = without(vector, named.get(step.removeEndpoint) ?? '');
        if (step.packet === undefined) continue;
        const { sourceIP, protocol, destIP, destPort } = step.packet;
        const { paths } = evaluatePacket(
          rulesOf(vector, mode),
          {
            source: sourceIP,
            destination: destIP,
            protocol: protocol.toLowerCase(),
            sourcePort: 40_000,
            destinationPort: destPort,
            from: 'network',
          },
          { localAddresses: vector.nodeState.localIPs, remembered: memory.at(step.at) },
        );
        const ways = paths.filter(({ probability }) => probability > 0);
        const endpoints = ways.map(({ endpoint }) => endpoint);
        const taken = ways[Math.min(choice, ways.length - 1)]!;
        memory.note(taken, step.at);
        if (step.remember !== undefined) named.set(step.remember, taken.endpoint);
        if (step.expectSameAs !== undefined) expect(endpoints).toEqual([named.get(step.expectSameAs)]);
        if (step.expectNot !== undefined) expect(endpoints).not.toContain(named.get(step.expectNot));
        if (step.expectOneOf !== undefined) expect([...endpoints].sort()).toEqual([...step.expectOneOf].sort());
      }
      expect(named.get('A')).toBeDefined();
    });
  });
});
