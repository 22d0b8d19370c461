import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { createNftProgramRunner } from '../../../src/kernel/runners/nft-program-runner.ts';
import { createNftRunner } from '../../../src/kernel/runners/nft-runner.ts';
import { parsePrefix } from '../../../src/netfilter/address.ts';
import { replaceTable } from '../../../src/netfilter/nftables/diff-tables.ts';
import { parseTables } from '../../../src/netfilter/nftables/parse-tables.ts';
import { printTransaction } from '../../../src/netfilter/nftables/print-transaction.ts';
import type { Rule, Statement } from '../../../src/netfilter/nftables/rule.ts';
import type { Table } from '../../../src/netfilter/nftables/table.ts';
import type { Transaction } from '../../../src/netfilter/nftables/transaction.ts';
import type { NftRunner } from '../../../src/netfilter/runner.ts';
import { StateTracker } from '../../../src/proxy/facts/state-tracker.ts';
import { buildTable, defaultDispatch } from '../../../src/proxy/nftables/build-table.ts';
import { NftablesBackend } from '../../../src/proxy/nftables/nftables-backend.ts';
import { buildNodeFacts } from '../../helpers/build-proxy-facts.ts';
import { CollidingCluster } from '../../helpers/colliding-cluster.ts';
import { leaveNothing } from '../../helpers/leak-check.ts';
import { loadVectors, stateOfVector } from '../../helpers/proxy-vectors.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';
import { SteppedClock } from '../../helpers/stepped-clock.ts';

const runs = Number(process.env['TOWTANK_PROPERTY_RUNS'] ?? 2);
const seed = Number(process.env['TOWTANK_SEED'] ?? 4100);

leaveNothing();

let netns: NetworkNamespace;
let runner: Required<NftRunner>;

beforeAll(() => {
  netns = NetworkNamespace.create('nft-test');
  runner = createNftRunner(netns) as Required<NftRunner>;
});

afterAll(() => netns.delete());

const replacement = (table: Table): Transaction => ({
  family: table.family,
  table: table.name,
  operations: replaceTable(table),
});

async function listedAfter(
  table: Table,
  write: (transaction: Transaction) => Promise<void>,
): Promise<string | undefined> {
  // In one transaction with the removal of what was there before.
  await write(replacement(table));
  return await runner.listTable(table.family, table.name);
}

const byProgram = (transaction: Transaction): Promise<void> => runner.run(printTransaction(transaction));
const byNetlink = (transaction: Transaction): Promise<void> => runner.apply(transaction);

describe.each([
  { form: 'inline', inlineLimit: 1000 },
  { form: 'shared', inlineLimit: -1 },
])('tables with $form endpoints', ({ inlineLimit }) => {
  test('are listed alike, written by netlink and by the program, and read back as built, for the state of every vector', async () => {
    const vectors = loadVectors('packet-flow').filter(({ modes }) => modes.includes('nftables'));
    expect(vectors.length).toBeGreaterThan(50);
    for (const vector of vectors) {
      const table = buildTable(stateOfVector(vector, 'nftables'), defaultDispatch(inlineLimit));
      const listing = await listedAfter(table, byNetlink);
      expect(listing, vector.id).toBe(await listedAfter(table, byProgram));
      expect(comparable(parseTables(listing ?? '')[0]), vector.id).toEqual(comparable(table));
    }
  });

  test.each(['ipv4', 'ipv6'] as const)(
    'stay equal to a rebuild over random edits, by both ways (%s)',
    async (family) => {
      for (let run = 0; run < runs; run++) {
        const label = `TOWTANK_SEED=${seed + run}`;
        const cluster = new CollidingCluster(seededRandom(seed + run), { family });
        const node = buildNodeFacts({
          family,
          nodeIP: family === 'ipv4' ? '172.18.0.2' : 'fc00::2',
          localDetector: { kind: 'interface-prefix', prefix: 'veth' },
          nodePortAddresses: { kind: 'list', addresses: [family === 'ipv4' ? '172.18.0.2' : 'fc00::2'] },
          serviceCIDRs: [family === 'ipv4' ? '10.96.0.0/20' : 'fd00:10:96::/112'],
        });
        for (const way of ['netlink', 'program'] as const) {
          using tracker = new StateTracker(cluster.facts, node, () => {});
          const door = way === 'netlink' ? runner : createNftProgramRunner(netns);
          const backend = new NftablesBackend({ family, runner: door, clock: new SteppedClock(), inlineLimit });
          await backend.sync(tracker.take().state, 'all');
          for (let edit = 0; edit < 12; edit++) {
            const what = `${label} ${way} edit ${edit}: ${cluster.edit()}, ${cluster.edit()}`;
            const { state, changed } = tracker.take();
            const report = await backend.sync(state, changed);
            expect(report.recoveredFrom, what).toBeUndefined();
            const [listed] = parseTables(
              (await runner.listTable(family === 'ipv4' ? 'ip' : 'ip6', 'kube-proxy')) ?? '',
            );
            const rebuilt = buildTable(state, defaultDispatch(way === 'netlink' ? inlineLimit : 1000));
            expect(withoutRanges(listed), what).toEqual(withoutRanges(rebuilt));
          }
        }
      }
    },
  );
});

test('every form of rule of the detectors and masquerading settings is listed alike', async () => {
  const nodes = [
    buildNodeFacts({ localDetector: { kind: 'interface', name: 'cni0' } }),
    buildNodeFacts({ localDetector: { kind: 'interface-prefix', prefix: 'veth' } }),
    buildNodeFacts({ localDetector: { kind: 'cidr', cidr: '10.128.0.0/9' } }),
    buildNodeFacts({ localDetector: { kind: 'none' }, masqueradeAll: true }),
    buildNodeFacts({ serviceCIDRs: ['10.96.0.0/12', '10.120.0.0/16'], masqueradeMark: 0x80000000 }),
  ];
  for (const node of nodes) {
    const cluster = new CollidingCluster(seededRandom(seed));
    for (let edit = 0; edit < 60; edit++) cluster.edit();
    using tracker = new StateTracker(cluster.facts, node, () => {});
    const table = buildTable(tracker.take().state);
    const label = JSON.stringify(node.localDetector);
    expect(await listedAfter(table, byNetlink), label).toBe(await listedAfter(table, byProgram));
  }
});

// nft lists elements and objects in its own order, and 1.0.6 adds what it derives.
function comparable(table: Table | undefined): unknown {
  if (table === undefined) return undefined;
  const rules = (list: readonly Rule[]): unknown =>
    list.map((rule) => ({ ...rule, statements: rule.statements.map(sorted) }));
  return {
    comment: table.comment,
    chains: Object.fromEntries(
      [...table.chains.values()].map(({ rules: list, ...chain }) => [chain.name, { ...chain, rules: rules(list) }]),
    ),
    sets: Object.fromEntries(
      [...table.sets.values()].map(({ elements, ...set }) => [
        set.name,
        { ...set, elements: Object.fromEntries(elements) },
      ]),
    ),
  };
}

// The nft program joins addresses and prefixes that follow each other: the same packets match.
function joinedRanges(keys: readonly string[]): readonly string[] {
  const ranges = keys
    .map((key) => key.split('-').map((end) => parsePrefix(end)!))
    .map((ends) => {
      const [first, last] = [ends[0]!, ends.at(-1)!];
      const size = 1n << BigInt((last.family === 'ipv4' ? 32 : 128) - last.length);
      return { first: first.bits, last: last.bits + size - 1n };
    })
    .sort((a, b) => (a.first < b.first ? -1 : 1));
  const joined: { first: bigint; last: bigint }[] = [];
  for (const range of ranges) {
    const previous = joined.at(-1);
    if (previous !== undefined && previous.last + 1n >= range.first) previous.last = range.last;
    else joined.push({ ...range });
  }
  return joined.map(({ first, last }) => `${first}-${last}`);
}

// Which range of a shared map a chain has depends on history: its endpoints and their shares are put in its place.
function withoutRanges(table: Table | undefined): unknown {
  if (table === undefined) return undefined;
  const chains = new Map(
    [...table.chains].map(([name, chain]) => [
      name,
      {
        ...chain,
        rules: chain.rules.map((rule) => ({
          ...rule,
          statements: rule.statements.map((statement) => {
            if (statement.kind === 'match' && 'elements' in statement.in && /^ip6? saddr$/.test(statement.fields[0]!)) {
              return { ...statement, in: { elements: joinedRanges(statement.in.elements.map(({ key }) => key)) } };
            }
            if (statement.kind !== 'dnat-map' || !('name' in statement.map) || !('modulus' in statement.key))
              return statement;
            const { offset, modulus } = statement.key;
            const elements = [...(table.sets.get(statement.map.name)?.elements.values() ?? [])].flatMap(
              ({ key, value }) => {
                const [first = 0, last = first] = key.split('-').map(Number);
                return first >= offset && last < offset + modulus
                  ? [{ key: `${first - offset}-${last - offset}`, value }]
                  : [];
              },
            );
            return { ...statement, key: { ...statement.key, offset: 0 }, map: { elements: elements.sort(byKey) } };
          }),
        })),
      },
    ]),
  );
  const sets = new Map([...table.sets].filter(([name]) => !name.startsWith('service-endpoints-')));
  return comparable({ ...table, chains: chains as Table['chains'], sets });
}

// The kernel keeps elements of a rule in its own order too.
function sorted(statement: Statement): Statement {
  if (statement.kind !== 'match' || !('elements' in statement.in)) return statement;
  return { ...statement, in: { elements: [...statement.in.elements].sort(byKey) } };
}

const byKey = (a: { readonly key: string }, b: { readonly key: string }): number => (a.key < b.key ? -1 : 1);
