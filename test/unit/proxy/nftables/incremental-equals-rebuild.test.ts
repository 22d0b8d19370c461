import { describe, expect, test } from 'vitest';
import { applyTransaction } from '../../../../src/netfilter/nftables/apply-transaction.ts';
import { diffTables } from '../../../../src/netfilter/nftables/diff-tables.ts';
import { makeBeforeBreak } from '../../../../src/netfilter/nftables/make-before-break.ts';
import { printTable } from '../../../../src/netfilter/nftables/print-table.ts';
import type { Table } from '../../../../src/netfilter/nftables/table.ts';
import { StateTracker } from '../../../../src/proxy/facts/state-tracker.ts';
import { AppliedTable } from '../../../../src/proxy/nftables/applied-table.ts';
import { buildClaimedTable, buildTable, defaultDispatch } from '../../../../src/proxy/nftables/build-table.ts';
import type { ProxyState } from '../../../../src/proxy/proxy-backend.ts';
import { buildNodeFacts } from '../../../helpers/build-proxy-facts.ts';
import { CollidingCluster } from '../../../helpers/colliding-cluster.ts';
import { seededRandom } from '../../../helpers/seeded-random.ts';

const runs = Number(process.env.TOWTANK_PROPERTY_RUNS ?? 8);
const seed = Number(process.env.TOWTANK_SEED ?? 20_260_101);
const editsPerRun = 60;

// Order of declaration does not matter to packets, and differs by history.
function sorted(table: Table | undefined): string {
  if (table === undefined) return '';
  const byKey = <T>(map: ReadonlyMap<string, T>): Map<string, T> =>
    new Map([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
  const sets = new Map([...byKey(table.sets)].map(([name, set]) => [name, { ...set, elements: byKey(set.elements) }]));
  return printTable({ ...table, chains: byKey(table.chains), sets });
}

// What may lead a packet that is in the middle of the rules, and is not there any more: rules, and keys of verdict maps.
function missing(before: Table, after: Table): string[] {
  const chains = [...before.chains.values()].filter(({ name, rules }) => {
    const now = after.chains.get(name)?.rules ?? [];
    return rules.length > 0 && rules.some((rule, index) => rule !== now[now.length - rules.length + index]);
  });
  const maps = [...before.sets.values()].flatMap(({ name, data, elements }) =>
    data !== 'verdict' ? [] : [...elements.keys()].filter((key) => !after.sets.get(name)?.elements.has(key)),
  );
  return [...chains.map(({ name }) => name), ...maps];
}

describe.each([
  { form: 'endpoints inline', inlineLimit: 1000 },
  { form: 'endpoints in shared maps', inlineLimit: -1 },
])('$form', ({ inlineLimit }) => {
  test.each(['ipv4', 'ipv6'] as const)('after every edit the table equals one built from nothing (%s)', (family) => {
    for (let run = 0; run < runs; run++) {
      const label = `TOWTANK_SEED=${seed + run}`;
      const random = seededRandom(seed + run);
      const cluster = new CollidingCluster(random, { family });
      const node = buildNodeFacts({
        family,
        nodeIP: family === 'ipv4' ? '172.18.0.2' : 'fc00::2',
        localDetector:
          family === 'ipv4' ? { kind: 'cidr', cidr: '10.244.0.0/16' } : { kind: 'interface-prefix', prefix: 'veth' },
      });
      using tracker = new StateTracker(cluster.facts, node, () => {});
      const options = defaultDispatch(inlineLimit);
      const built = buildClaimedTable(copy(tracker.take().state), options);
      const applied = new AppliedTable(node, built, options);
      let kernel: Table | undefined = built.table;
      for (let edit = 0; edit < editsPerRun; edit++) {
        const what = [cluster.edit(), ...(random() < 0.3 ? [cluster.edit()] : [])].join(', ');
        const { state, changed } = tracker.take();
        const operations = applied.change([...changed].map((key) => ({ key, after: state.ports.get(key) })));
        const place = { family: built.table.family, table: built.table.name };
        const { make, rest } = makeBeforeBreak(operations);
        const between = applyTransaction(kernel, { ...place, operations: make });
        if (make !== operations) expect(missing(kernel!, between!), `${label}, edit ${edit}: ${what}`).toEqual([]);
        kernel = applyTransaction(kernel, { ...place, operations });
        expect(sorted(kernel), `${label}, edit ${edit}: ${what}`).toBe(sorted(buildTable(state, options)));
        expect(sorted(applyTransaction(between, { ...place, operations: rest }))).toBe(sorted(kernel));
      }
    }
  });
});

test('the difference between any two tables leads from one to the other', () => {
  for (let run = 0; run < runs; run++) {
    const cluster = new CollidingCluster(seededRandom(seed + run));
    using tracker = new StateTracker(cluster.facts, buildNodeFacts(), () => {});
    let before = buildTable(tracker.take().state);
    for (let edit = 0; edit < 20; edit++) {
      cluster.edit();
      const after = buildTable(tracker.take().state);
      const operations = diffTables(before, after);
      const result = applyTransaction(before, { family: after.family, table: after.name, operations });
      expect(sorted(result), `TOWTANK_SEED=${seed + run}, edit ${edit}`).toBe(sorted(after));
      before = after;
    }
  }
});

const copy = (state: ProxyState): ProxyState => ({ ...state, ports: new Map(state.ports) });
