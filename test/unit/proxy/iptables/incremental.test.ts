import { describe, expect, it } from 'vitest';
import { ServiceFacts } from '../../../../src/proxy/facts/service-facts.ts';
import { StateTracker } from '../../../../src/proxy/facts/state-tracker.ts';
import { buildRuleset } from '../../../../src/proxy/iptables/build-ruleset.ts';
import { IptablesBackend } from '../../../../src/proxy/iptables/iptables-backend.ts';
import { buildNodeFacts } from '../../../helpers/build-proxy-facts.ts';
import { comparableRules } from '../../../helpers/compare-rules.ts';
import { FakeIptables } from '../../../helpers/fake-iptables.ts';
import { NODES, RandomCluster, ZONES } from '../../../helpers/random-services.ts';
import { seededRandom } from '../../../helpers/seeded-random.ts';

const RUNS = Number(process.env['TOWTANK_PROPERTY_RUNS'] ?? 8);
const EDITS = 40;
const OPTIONS = { conntrackTcpBeLiberal: false };
const EVERYTHING_ORDERED = { unordered: /^$/ };

describe('rules written change by change', () => {
  const seeds = Array.from({ length: RUNS }, (_, index) => 7000 + index);

  it.each(seeds)('equal rules built from nothing (seed %i)', async (seed) => {
    const random = seededRandom(seed);
    const family = seed % 3 === 0 ? 'ipv6' : 'ipv4';
    const facts = new ServiceFacts();
    const cluster = new RandomCluster(random, family);
    const node = buildNodeFacts({
      family,
      nodeName: NODES[0]!,
      nodeIP: family === 'ipv4' ? '172.18.0.2' : '2001:db8::2',
      zone: ZONES[0]!,
      localDetector: seed % 2 === 0 ? { kind: 'cidr', cidr: '10.10.0.0/16' } : { kind: 'interface', name: 'cbr0' },
    });
    using tracker = new StateTracker(facts, node, () => {});
    const kernel = new FakeIptables();
    const backend = new IptablesBackend({ family, runner: kernel, ...OPTIONS });
    await backend.sync(tracker.take().state, 'all');
    const history: string[] = [];
    for (let edit = 0; edit < EDITS; edit++) {
      const changes = 1 + Math.floor(random() * 3);
      for (let i = 0; i < changes; i++) history.push(cluster.change(facts));
      const { state, changed } = tracker.take();
      const report = await backend.sync(state, changed);
      expect(report.recoveredFrom, history.join('\n')).toBeUndefined();
      const incremental = comparableRules(kernel.ruleset(family), EVERYTHING_ORDERED);
      expect(incremental, history.join('\n')).toEqual(
        comparableRules(buildRuleset(state, OPTIONS), EVERYTHING_ORDERED),
      );
    }
    const fresh = new ServiceFacts();
    cluster.load(fresh);
    using rebuilt = new StateTracker(fresh, node, () => {});
    expect(comparableRules(buildRuleset(rebuilt.take().state, OPTIONS))).toEqual(
      comparableRules(kernel.ruleset(family)),
    );
  });
});
