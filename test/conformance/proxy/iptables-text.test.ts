import { describe, expect, it } from 'vitest';
import { parseRuleset } from '../../../src/netfilter/iptables/parse-ruleset.ts';
import { printRuleset } from '../../../src/netfilter/iptables/print-ruleset.ts';
import { buildRuleset } from '../../../src/proxy/iptables/build-ruleset.ts';
import { comparableRules } from '../../helpers/compare-rules.ts';
import { familyOfVector, loadVectors, recordedOutput, stateOfVector } from '../../helpers/proxy-vectors.ts';

// Deliberate differences are explained in docs/reference/proxy-iptables.md.
const DEVIATIONS: Readonly<Record<string, string>> = {
  'dual-stack-wrong-family-slice': 'slices count by their addressType, as since 1.33; the API server refuses this one',
};

const recorded = loadVectors('packet-flow').filter(({ id }) => recordedOutput(id, 'iptables') !== undefined);

describe('the rules of kube-proxy 1.30 and ours are the same', () => {
  it('for as many states as were recorded', () => {
    expect(recorded.length).toBeGreaterThanOrEqual(67);
  });

  it.each(recorded.filter(({ id }) => !(id in DEVIATIONS)))('for $id', (vector) => {
    const theirs = parseRuleset(familyOfVector(vector.nodeState), recordedOutput(vector.id, 'iptables')!);
    const ours = buildRuleset(stateOfVector(vector), { conntrackTcpBeLiberal: false });
    expect(comparableRules(ours)).toEqual(comparableRules(theirs));
  });

  it.each(recorded.filter(({ id }) => id in DEVIATIONS))('not for $id, on purpose', (vector) => {
    const theirs = parseRuleset(familyOfVector(vector.nodeState), recordedOutput(vector.id, 'iptables')!);
    const ours = buildRuleset(stateOfVector(vector), { conntrackTcpBeLiberal: false });
    expect(comparableRules(ours)).not.toEqual(comparableRules(theirs));
  });
});

describe('what iptables-save prints is read and printed without loss', () => {
  it.each(recorded)('for $id', ({ id, nodeState }) => {
    const text = recordedOutput(id, 'iptables')!;
    expect(printRuleset(parseRuleset(familyOfVector(nodeState), text))).toBe(text);
  });
});
