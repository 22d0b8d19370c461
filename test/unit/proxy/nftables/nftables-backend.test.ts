import { beforeEach, describe, expect, test } from 'vitest';
import { parseTables } from '../../../../src/netfilter/nftables/parse-tables.ts';
import type { Operation, Transaction } from '../../../../src/netfilter/nftables/transaction.ts';
import type { SelectedPort } from '../../../../src/proxy/facts/select-endpoints.ts';
import { buildTable } from '../../../../src/proxy/nftables/build-table.ts';
import { NftablesBackend } from '../../../../src/proxy/nftables/nftables-backend.ts';
import { endpointObjects, serviceObjects } from '../../../../src/proxy/nftables/object-names.ts';
import {
  buildNodeFacts,
  buildProxyEndpoint,
  buildProxyState,
  buildSelectedPort,
  buildServicePort,
} from '../../../helpers/build-proxy-facts.ts';
import { FakeNftRunner } from '../../../helpers/fake-nft-runner.ts';
import { SteppedClock } from '../../../helpers/stepped-clock.ts';

const node = buildNodeFacts();
let runner: FakeNftRunner;
let clock: SteppedClock;
let backend: NftablesBackend;

beforeEach(() => {
  runner = new FakeNftRunner();
  clock = new SteppedClock();
  backend = new NftablesBackend({ family: 'ipv4', runner, clock });
});

function port(
  name: string,
  ips: readonly string[],
  options: Parameters<typeof buildServicePort>[0] = {},
): SelectedPort {
  const last = Number(/\d+$/.exec(name)?.[0] ?? 1);
  const service = buildServicePort({ name, clusterIP: `10.96.0.${last}`, ...options });
  return buildSelectedPort(
    service,
    ips.map((ip) => buildProxyEndpoint({ ip })),
    node,
  );
}

const stateOf = (...ports: readonly SelectedPort[]) => buildProxyState(ports, node);
const table = () => runner.tables.get('ip kube-proxy');
const kindsOf = ({ operations }: Transaction): readonly Operation['kind'][] => operations.map(({ kind }) => kind);

test('the first sync replaces whatever table is there, while another one of the new rules stands in', async () => {
  const [older] = parseTables(
    'table ip kube-proxy {\n\tchain filter-input {\n\t\ttype filter hook input priority -110; policy accept;\n\t}\n}',
  );
  runner.tables.set('ip kube-proxy', older!);
  const report = await backend.sync(stateOf(port('svc1', ['10.244.0.1'])), 'all');
  expect(report.kind).toBe('full');
  expect(runner.transactions.map((transaction) => transaction.table)).toEqual([
    'kube-proxy-stand-in',
    'kube-proxy',
    'kube-proxy-stand-in',
  ]);
  expect([...runner.tables.keys()]).toEqual(['ip kube-proxy']);
  expect(table()?.chains.get('filter-input')?.hook?.priority).toBe(0);
});

test('where no table is, and where the kernel refuses one that stands in, the table is written alone', async () => {
  runner.refuses = (operation) => operation.kind === 'add-table' && operation.isOwned === true;
  for (let sync = 0; sync < 2; sync++) await backend.sync(stateOf(port('svc1', ['10.244.0.1'])), 'all');
  expect(runner.transactions.map((transaction) => transaction.table)).toEqual(['kube-proxy', 'kube-proxy']);
});

test('one endpoint more writes one chain and no other Service', async () => {
  const other = port('svc2', ['10.244.0.2']);
  await backend.sync(stateOf(port('svc1', ['10.244.0.1']), other), 'all');
  const after = stateOf(port('svc1', ['10.244.0.1', '10.244.0.3']), other);
  const report = await backend.sync(after, new Set(['ns1/svc1:p80/TCP']));
  expect(report.kind).toBe('partial');
  expect(runner.transactions.slice(1).map(kindsOf)).toEqual([
    ['add-elements', 'insert-rules'],
    ['delete-rules-behind'],
  ]);
  expect(table()?.chains).toEqual(buildTable(after).chains);
});

test('with endpoints in shared maps, an endpoint more changes elements only', async () => {
  backend = new NftablesBackend({ family: 'ipv4', runner, clock, inlineLimit: 0 });
  await backend.sync(stateOf(port('svc1', ['10.244.0.1'])), 'all');
  await backend.sync(stateOf(port('svc1', ['10.244.0.1', '10.244.0.3'])), new Set(['ns1/svc1:p80/TCP']));
  expect(runner.transactions.slice(1).map(kindsOf)).toEqual([['delete-elements', 'add-elements', 'add-elements']]);
});

test('another timeout of session affinity replaces its sets in place', async () => {
  const sticky = (affinitySeconds: number) =>
    buildSelectedPort(buildServicePort({ affinitySeconds }), [buildProxyEndpoint()], node);
  await backend.sync(stateOf(sticky(10)), 'all');
  const after = stateOf(sticky(20));
  const report = await backend.sync(after, new Set(['ns1/svc1:p80/TCP']));
  expect(report).toMatchObject({ kind: 'partial' });
  expect(report.recoveredFrom).toBeUndefined();
  expect(table()?.sets).toEqual(buildTable(after).sets);
  expect(table()?.chains).toEqual(buildTable(after).chains);
});

test('a change that leads to the same rules writes nothing', async () => {
  await backend.sync(stateOf(port('svc1', ['10.244.0.1'])), 'all');
  const report = await backend.sync(stateOf(port('svc1', ['10.244.0.1'])), new Set(['ns1/svc1:p80/TCP']));
  expect(report.kind).toBe('nothing');
  expect(runner.transactions).toHaveLength(1);
});

test('the table is rewritten when the number of ServicePorts passes the inline limit, in both directions', async () => {
  backend = new NftablesBackend({ family: 'ipv4', runner, clock, inlineLimit: 1 });
  const one = port('svc1', ['10.244.0.1']);
  const two = port('svc2', ['10.244.0.2']);
  await backend.sync(stateOf(one), 'all');
  const more = await backend.sync(stateOf(one, two), new Set([two.port.key]));
  expect(more.kind).toBe('full');
  expect(table()?.sets.has('service-endpoints-0')).toBe(true);
  const less = await backend.sync(stateOf(one), new Set([two.port.key]));
  expect(less.kind).toBe('full');
  expect(table()?.sets.has('service-endpoints-0')).toBe(false);
});

describe('when the kernel refuses a Service', () => {
  const bad = port('bad9', ['10.244.0.9']);
  const isBad = (operation: Operation): boolean =>
    operation.kind === 'add-rule' && operation.chain === serviceObjects(bad.port).cluster;
  const good = Array.from({ length: 20 }, (_, index) => port(`svc${index + 10}`, [`10.244.1.${index + 1}`]));

  beforeEach(() => {
    runner.refuses = isBad;
  });

  test('a full sync leaves it out, reports it and applies the rest', async () => {
    const report = await backend.sync(stateOf(...good, bad), 'all');
    expect(report.quarantined.map(({ key }) => key)).toEqual([bad.port.key]);
    expect(report.recoveredFrom?.attempt).toBe('full');
    expect(table()).toEqual(buildTable(stateOf(...good)));
  });

  test('a partial sync does the same', async () => {
    await backend.sync(stateOf(...good), 'all');
    const another = port('svc50', ['10.244.2.1']);
    const report = await backend.sync(stateOf(...good, bad, another), new Set([bad.port.key, another.port.key]));
    expect(report.quarantined.map(({ key }) => key)).toEqual([bad.port.key]);
    expect(report.recoveredFrom?.attempt).toBe('partial');
    expect(table()?.chains.has(serviceObjects(another.port).cluster)).toBe(true);
  });

  test('it is tried again once it has changed, and then leaves quarantine', async () => {
    await backend.sync(stateOf(...good, bad), 'all');
    const untouched = await backend.sync(stateOf(...good, bad), new Set([bad.port.key]));
    expect(untouched).toMatchObject({ kind: 'nothing', quarantined: [{ key: bad.port.key }] });
    runner.refuses = () => false;
    const mended = port('bad9', ['10.244.0.10']);
    const report = await backend.sync(stateOf(...good, mended), new Set([mended.port.key]));
    expect(report.quarantined).toEqual([]);
    expect(table()?.chains.has(serviceObjects(mended.port).cluster)).toBe(true);
  });

  test('a name that nft cannot hold is treated alike, without asking the kernel', async () => {
    runner.refuses = () => false;
    const hostile = port('svc3', ['10.244.0.3'], { namespace: 'x; flush ruleset', clusterIP: '10.96.0.3' });
    const report = await backend.sync(stateOf(...good, hostile), 'all');
    expect(report.quarantined.map(({ key }) => key)).toEqual([hostile.port.key]);
    expect(table()).toEqual(buildTable(stateOf(...good)));
  });
});

test('an error that no Service is guilty of is passed on, and nothing is quarantined', async () => {
  runner.refuses = ({ kind }) => kind === 'add-table';
  await expect(backend.sync(stateOf(port('svc1', ['10.244.0.1'])), 'all')).rejects.toMatchObject({
    code: 'ERR_NETLINK',
  });
  runner.refuses = () => false;
  expect((await backend.sync(stateOf(port('svc1', ['10.244.0.1'])), 'all')).quarantined).toEqual([]);
});

test('where a chain cannot go at once it is emptied, and deleted a second later with another write', async () => {
  const first = port('svc1', ['10.244.0.1']);
  const second = port('svc2', ['10.244.0.2']);
  const { cluster } = serviceObjects(second.port);
  await backend.sync(stateOf(first, second), 'all');
  runner.refuses = ({ kind }) => kind === 'delete-chain';
  await backend.sync(stateOf(first), new Set([second.port.key]));
  expect(table()?.chains.get(cluster)?.rules).toEqual([]);
  runner.refuses = () => false;
  await clock.step(999);
  await backend.sync(stateOf(first), new Set());
  expect(table()?.chains.has(cluster)).toBe(true);
  await clock.step(1);
  await backend.sync(stateOf(first), new Set());
  expect(table()?.chains.has(cluster)).toBe(false);
});

test('a chain that cannot go a second later either fails nothing else, is told, and goes later', async () => {
  const first = port('svc1', ['10.244.0.1']);
  const second = port('svc2', ['10.244.0.2']);
  await backend.sync(stateOf(first, second), 'all');
  runner.refuses = ({ kind }) => kind === 'delete-chain';
  await backend.sync(stateOf(first), new Set([second.port.key]));
  await clock.step(1000);
  const third = port('svc3', ['10.244.0.3']);
  const report = await backend.sync(stateOf(first, third), new Set([third.port.key]));
  expect(report).toMatchObject({ kind: 'partial', cleanupFailure: { code: 'ERR_NETLINK' } });
  expect(report.recoveredFrom).toBeUndefined();
  expect(table()?.chains.get(serviceObjects(third.port).cluster)?.rules).toHaveLength(1);
  runner.refuses = () => false;
  expect((await backend.sync(stateOf(first, third), new Set())).cleanupFailure).toBeUndefined();
  expect(table()?.chains.has(serviceObjects(second.port).cluster)).toBe(false);
});

test('a Service that returns while its chain lingers keeps the chain', async () => {
  const first = port('svc1', ['10.244.0.1']);
  const second = port('svc2', ['10.244.0.2']);
  await backend.sync(stateOf(first, second), 'all');
  runner.refuses = ({ kind }) => kind === 'delete-chain';
  await backend.sync(stateOf(first), new Set([second.port.key]));
  runner.refuses = () => false;
  await backend.sync(stateOf(first, second), new Set([second.port.key]));
  await clock.step(5000);
  await backend.sync(stateOf(first, second), new Set());
  expect(table()?.chains.get(serviceObjects(second.port).cluster)?.rules).toHaveLength(1);
});

describe('somebody else', () => {
  beforeEach(async () => {
    await backend.sync(stateOf(port('svc1', ['10.244.0.1'])), 'all');
  });

  test('who leaves the table alone is not noticed', async () => {
    expect(await backend.isIntact()).toBe(true);
  });

  test('who deletes the table is noticed, and a full sync repairs it', async () => {
    runner.tables.clear();
    expect(await backend.isIntact()).toBe(false);
    await backend.sync(stateOf(port('svc1', ['10.244.0.1'])), 'all');
    expect(await backend.isIntact()).toBe(true);
  });

  test('is looked for only after a change, when the kernel tells of changes', async () => {
    runner.told = '1';
    expect(await backend.isIntact()).toBe(true);
    runner.tables.clear();
    expect(await backend.isIntact()).toBe(true);
    runner.told = '2';
    expect(await backend.isIntact()).toBe(false);
  });

  test.each(['nat-prerouting', 'services', 'masquerading'])('who empties chain %s is noticed', async (name) => {
    const { chains, ...rest } = table()!;
    const emptied = new Map(chains).set(name, { ...chains.get(name)!, rules: [] });
    runner.tables.set('ip kube-proxy', { ...rest, chains: emptied });
    expect(await backend.isIntact()).toBe(false);
  });
});

test('a rewrite keeps what session affinity remembers, no longer than the timeout of now', async () => {
  const sticky = port('svc1', ['10.244.0.1'], { affinitySeconds: 60 });
  const { affinitySet } = endpointObjects(sticky.port, { ip: '10.244.0.1', port: 80 });
  runner.remembered.set(affinitySet, [
    { address: '10.244.0.7', expiresSeconds: 12 },
    { address: '10.244.0.8', expiresSeconds: 9000 },
  ]);
  await backend.sync(stateOf(sticky), 'all');
  expect([...(table()?.sets.get(affinitySet)?.elements.values() ?? [])]).toEqual([
    { key: '10.244.0.7', expiresSeconds: 12 },
    { key: '10.244.0.8', expiresSeconds: 60 },
  ]);
});

test('clean-up deletes the table, and succeeds where there is none', async () => {
  await backend.sync(stateOf(port('svc1', ['10.244.0.1'])), 'all');
  await backend.cleanup();
  expect(runner.tables.size).toBe(0);
  await expect(backend.cleanup()).resolves.toBeUndefined();
});

test('the report counts what stands and what was written', async () => {
  const { rules } = await backend.sync(stateOf(port('svc1', ['10.244.0.1'])), 'all');
  const total = rules['kube-proxy']!.total;
  const again = await backend.sync(
    stateOf(port('svc1', ['10.244.0.1']), port('svc2', ['10.244.0.2'])),
    new Set(['ns1/svc2:p80/TCP']),
  );
  // A chain, its rule, the cluster IP in two sets, and the hairpin of the endpoint.
  expect(again.rules['kube-proxy']).toEqual({ total: total + 5, written: 5 });
});
