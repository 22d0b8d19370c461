import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createNftProgramRunner } from '../../../src/kernel/runners/nft-program-runner.ts';
import { createNftRunner } from '../../../src/kernel/runners/nft-runner.ts';
import type { NftRunner } from '../../../src/netfilter/runner.ts';
import type { SelectedPort } from '../../../src/proxy/facts/select-endpoints.ts';
import { NftablesBackend } from '../../../src/proxy/nftables/nftables-backend.ts';
import { endpointObjects } from '../../../src/proxy/nftables/object-names.ts';
import {
  buildNodeFacts,
  buildProxyEndpoint,
  buildProxyState,
  buildSelectedPort,
  buildServicePort,
} from '../../helpers/build-proxy-facts.ts';
import { chiSquareP } from '../../helpers/chi-square.ts';
import { leaveNothing } from '../../helpers/leak-check.ts';
import { PacketLab } from '../../helpers/packet-lab.ts';
import { recordedOutput } from '../../helpers/proxy-vectors.ts';
import { SteppedClock } from '../../helpers/stepped-clock.ts';

const ips = ['10.244.0.2', '10.244.0.3', '10.244.0.4', '10.244.0.5', '10.244.0.6'];
const node = buildNodeFacts({ nodePortAddresses: { kind: 'list', addresses: ['172.18.0.2'] } });

leaveNothing();

let lab: PacketLab;
let runner: Required<NftRunner>;

beforeAll(async () => {
  lab = await PacketLab.create('node', {
    family: 'ipv4',
    nodeAddresses: ['172.18.0.2'],
    backends: ips.map((ip) => `${ip}:80`),
    pods: ['10.244.0.21', '10.244.0.22'],
    outside: ['192.0.2.7'],
  });
});
beforeEach(() => {
  runner = createNftRunner(lab.node) as Required<NftRunner>;
});
afterEach(async () => {
  await runner.run('flush ruleset');
});
afterAll(() => lab[Symbol.asyncDispose]());

function web(options: Parameters<typeof buildServicePort>[0] = {}, chosen = ips): SelectedPort {
  return buildSelectedPort(
    buildServicePort(options),
    chosen.map((ip) => buildProxyEndpoint({ ip })),
    node,
  );
}

const newBackend = (inlineLimit = 1000) =>
  new NftablesBackend({ family: 'ipv4', runner, clock: new SteppedClock(), inlineLimit });
const stateOf = (...ports: readonly SelectedPort[]) => buildProxyState(ports, node);

async function ask(source = '10.244.0.21', destination = '10.96.0.10', port = 80): Promise<string> {
  const outcome = await lab.send({ from: 'pod', source, protocol: 'tcp', destination, port });
  return outcome.kind === 'answered' ? outcome.backend : outcome.kind;
}

async function askTimes(times: number, source?: string): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (let done = 0; done < times; done += 40) {
    const batch = await Promise.all(Array.from({ length: Math.min(40, times - done) }, () => ask(source)));
    for (const backend of batch) counts.set(backend, (counts.get(backend) ?? 0) + 1);
  }
  return counts;
}

describe.each([
  { form: 'inline', inlineLimit: 1000 },
  { form: 'shared', inlineLimit: -1 },
])('balancing with $form endpoints', ({ inlineLimit }) => {
  test('random spreads connections evenly', async () => {
    await newBackend(inlineLimit).sync(stateOf(web()), 'all');
    const counts = await askTimes(1500);
    expect([...counts.keys()].sort()).toEqual(ips.map((ip) => `${ip}:80`));
    const { chiSquare, p } = chiSquareP([...counts.values()]);
    console.log(
      `random over 5 endpoints: ${JSON.stringify([...counts])}, chi-square ${chiSquare.toFixed(2)}, p ${p.toFixed(4)}`,
    );
    expect(p).toBeGreaterThan(1e-6);
  });

  test('round robin gives every endpoint its turn, per Service by annotation too', async () => {
    await newBackend(inlineLimit).sync(stateOf(web({ balancing: 'round-robin' })), 'all');
    const seen: string[] = [];
    for (let turn = 0; turn < 15; turn++) seen.push(await ask());
    expect(seen).toEqual([...Array(3)].flatMap(() => ips.map((ip) => `${ip}:80`)));
  });
});

describe('session affinity', () => {
  const sticky = (chosen = ips): SelectedPort => web({ affinitySeconds: 10_800, nodePort: 31_000 }, chosen);

  test('keeps a client at its endpoint, over cluster IP and node port alike, and other clients apart', async () => {
    await newBackend().sync(stateOf(sticky()), 'all');
    const first = await ask();
    for (let turn = 0; turn < 10; turn++) expect(await ask()).toBe(first);
    expect(await ask('10.244.0.21', '172.18.0.2', 31_000)).toBe(first);
    const other = await ask('10.244.0.22');
    for (let turn = 0; turn < 5; turn++) expect(await ask('10.244.0.22')).toBe(other);
  });

  test('lets a client choose anew when its endpoint is gone', async () => {
    const backend = newBackend();
    await backend.sync(stateOf(sticky()), 'all');
    const first = await ask();
    const rest = ips.filter((ip) => `${ip}:80` !== first);
    await backend.sync(stateOf(sticky(rest)), new Set([sticky().port.key]));
    const second = await ask();
    expect(rest.map((ip) => `${ip}:80`)).toContain(second);
    expect(await ask()).toBe(second);
  });

  test('survives a rewrite by a proxy that starts anew', async () => {
    await newBackend().sync(stateOf(sticky()), 'all');
    const first = await ask();
    for (let restart = 0; restart < 4; restart++) {
      await newBackend().sync(stateOf(sticky()), 'all');
      expect(await ask()).toBe(first);
    }
  });

  test('forgets a client when the timeout is over', async () => {
    const brief = web({ affinitySeconds: 1 });
    await newBackend().sync(stateOf(brief), 'all');
    const first = await ask();
    const { affinitySet } = endpointObjects(brief.port, { ip: first.split(':')[0]!, port: 80 });
    expect(await runner.listRemembered('ip', 'kube-proxy', affinitySet)).toMatchObject([{ address: '10.244.0.21' }]);
    await expect.poll(() => runner.listRemembered('ip', 'kube-proxy', affinitySet), { timeout: 10_000 }).toEqual([]);
  });
});

describe('other hands', () => {
  test('the first sync takes over the table of kube-proxy 1.30, whose chains have other priorities', async () => {
    await runner.run(recordedOutput('mixed-six-services', 'nftables')!);
    const report = await newBackend().sync(stateOf(web()), 'all');
    expect(report).toMatchObject({ kind: 'full', quarantined: [] });
    expect(ips).toContain((await ask()).split(':')[0]);
  });

  test('tables of others stay through sync and clean-up', async () => {
    await runner.run('table ip theirs {\n chain input {\n type filter hook input priority 10; policy accept;\n }\n}');
    const before = await runner.listTable('ip', 'theirs');
    const backend = newBackend();
    await backend.sync(stateOf(web()), 'all');
    await backend.cleanup();
    expect(await runner.listTable('ip', 'theirs')).toBe(before);
    expect(await runner.listTable('ip', 'kube-proxy')).toBeUndefined();
  });

  test.each(['netlink', 'program'] as const)(
    'who deletes or empties the table is noticed and repaired (%s)',
    async (way) => {
      const door = way === 'netlink' ? runner : createNftProgramRunner(lab.node);
      const backend = new NftablesBackend({ family: 'ipv4', runner: door, clock: new SteppedClock() });
      await backend.sync(stateOf(web()), 'all');
      for (const script of [
        'delete table ip kube-proxy',
        'flush table ip kube-proxy',
        'flush chain ip kube-proxy nat-prerouting',
      ]) {
        expect(await backend.isIntact(), `before ${script}`).toBe(true);
        await runner.run(script);
        expect(await backend.isIntact(), script).toBe(false);
        await backend.sync(stateOf(web()), 'all');
        expect(ips).toContain((await ask()).split(':')[0]);
      }
    },
  );
});

test.each(['netlink', 'program'] as const)(
  'a Service that the kernel cannot take is quarantined, the others work (%s)',
  async (way) => {
    const door = way === 'netlink' ? runner : createNftProgramRunner(lab.node);
    const backend = new NftablesBackend({ family: 'ipv4', runner: door, clock: new SteppedClock() });
    const broken = web({ name: 'broken', clusterIP: '10.96.0.300' });
    const others = Array.from({ length: 6 }, (_, index) => web({ name: `svc${index}`, clusterIP: `10.96.1.${index}` }));
    const report = await backend.sync(stateOf(...others, broken), 'all');
    expect(report.quarantined.map(({ key }) => key)).toEqual([broken.port.key]);
    expect(ips).toContain((await ask('10.244.0.21', '10.96.1.5')).split(':')[0]);
    const later = web({ name: 'later', clusterIP: '10.96.2.1' });
    const worse = web({ name: 'worse', clusterIP: '10.96.0.400' });
    const next = await backend.sync(
      stateOf(...others, broken, later, worse),
      new Set([later.port.key, worse.port.key]),
    );
    expect(next.quarantined.map(({ key }) => key).sort()).toEqual([broken.port.key, worse.port.key]);
    expect(ips).toContain((await ask('10.244.0.21', '10.96.2.1')).split(':')[0]);
  },
);
