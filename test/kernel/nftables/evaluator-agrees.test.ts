import { expect, test } from 'vitest';
import { runProgram } from '../../../src/kernel/programs/run-program.ts';
import { createNftRunner } from '../../../src/kernel/runners/nft-runner.ts';
import type { Random } from '../../../src/kube/clock.ts';
import { type Evaluation, evaluatePacket } from '../../../src/netfilter/evaluate/evaluate-packet.ts';
import type { Table } from '../../../src/netfilter/nftables/table.ts';
import { StateTracker } from '../../../src/proxy/facts/state-tracker.ts';
import { buildTable } from '../../../src/proxy/nftables/build-table.ts';
import { NftablesBackend } from '../../../src/proxy/nftables/nftables-backend.ts';
import { buildNodeFacts } from '../../helpers/build-proxy-facts.ts';
import { CollidingCluster } from '../../helpers/colliding-cluster.ts';
import { leaveNothing } from '../../helpers/leak-check.ts';
import { PacketLab, type PacketOutcome, patienceMs } from '../../helpers/packet-lab.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';
import { SteppedClock } from '../../helpers/stepped-clock.ts';

const runs = Number(process.env['TOWTANK_PROPERTY_RUNS'] ?? 2);
const seed = Number(process.env['TOWTANK_SEED'] ?? 8200);
const packetsPerState = 30;

const local = '172.18.0.2';
const pods = ['10.244.0.100', '10.244.1.100'];
const outside = ['203.0.113.7', '203.0.113.200', '198.18.0.9'];
const endpoints = Array.from(
  { length: 8 },
  (_, index) => [`10.244.${index % 2}.${index + 2}`, index % 2 === 0 ? 'node-1' : 'node-2'] as const,
);
const detectors = [
  { kind: 'cidr', cidr: '10.244.0.0/16' },
  { kind: 'interface-prefix', prefix: 'to-pod' },
  { kind: 'none' },
] as const;

leaveNothing();

interface Probe {
  readonly from: 'pod' | 'node' | 'external';
  readonly source: string;
  readonly protocol: 'tcp' | 'udp';
  readonly destination: string;
  readonly port: number;
}

function randomProbe(random: Random, table: Table): Probe {
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  const from = pick(['pod', 'node', 'external'] as const);
  const source = from === 'node' ? local : pick(from === 'pod' ? [...pods, ...endpoints.map(([ip]) => ip)] : outside);
  const known = ['service-ips', 'no-endpoint-services', 'service-nodeports', 'no-endpoint-nodeports'].flatMap((set) => [
    ...(table.sets.get(set)?.elements.keys() ?? []),
  ]);
  if (known.length === 0 || random() < 0.15) {
    return {
      from,
      source,
      protocol: 'tcp',
      destination: `10.96.0.${1 + Math.floor(random() * 20)}`,
      port: pick([80, 81]),
    };
  }
  const parts = pick(known).split(' . ');
  const [destination = local, protocol = 'tcp', port = '0'] = parts.length === 3 ? parts : [local, ...parts];
  return { from, source, protocol: protocol === 'udp' ? 'udp' : 'tcp', destination, port: Number(port) };
}

function evaluate(table: Table, { from, source, protocol, destination, port }: Probe): Evaluation {
  return evaluatePacket(
    { nftables: [table] },
    {
      source,
      destination,
      protocol,
      sourcePort: 40_000,
      destinationPort: port,
      from: from === 'node' ? 'host' : 'network',
      inInterface: {
        pod: endpoints.some(([ip]) => ip === source) ? 'to-both' : 'to-pods',
        external: 'to-world',
        node: '',
      }[from],
    },
    { localAddresses: [local] },
  );
}

function isAgreed(outcome: PacketOutcome, { verdict, endpoints: possible }: Evaluation, source: string): boolean {
  if (verdict === 'deliver') {
    if (outcome.kind !== 'answered') return false;
    const endpoint = possible.find(({ address }) => address === outcome.backend);
    return endpoint !== undefined && endpoint.masquerade === (outcome.seenSource !== source);
  }
  if (verdict === 'reject') return outcome.kind === 'refused' && outcome.code === 'ECONNREFUSED';
  return verdict === 'drop' ? outcome.kind === 'silence' : outcome.kind !== 'answered';
}

// Some packets are waited for in vain: each form has a network of its own, so that the other's are sent meanwhile.
test.concurrent.each([
  { form: 'inline', inlineLimit: 1000 },
  { form: 'shared', inlineLimit: -1 },
])(
  'real packets do what the evaluator says, over random states with $form endpoints',
  { timeout: 60_000 * runs },
  async ({ form, inlineLimit }) => {
    for (let run = 0; run < runs; run++) {
      const random = seededRandom(seed + run);
      await using lab = await PacketLab.create(form, {
        family: 'ipv4',
        nodeAddresses: [local],
        backends: endpoints.flatMap(([ip]) => [`${ip}:8080`, `${ip}:8081`]),
        pods: [...pods, ...endpoints.map(([ip]) => ip)],
        outside,
      });
      const runner = createNftRunner(lab.node);
      const cluster = new CollidingCluster(random, { backends: endpoints, protocols: ['TCP', 'UDP'] });
      const node = buildNodeFacts({
        nodeIP: local,
        nodePortAddresses: random() < 0.5 ? { kind: 'all' } : { kind: 'list', addresses: [local] },
        localDetector: detectors[Math.floor(random() * detectors.length)]!,
        masqueradeAll: random() < 0.2,
        serviceCIDRs: random() < 0.5 ? ['10.96.0.0/24'] : [],
      });
      using tracker = new StateTracker(cluster.facts, node, () => {});
      const backend = new NftablesBackend({ family: 'ipv4', runner, clock: new SteppedClock(), inlineLimit });
      for (let edit = 0; edit < 8; edit++) {
        for (let count = 0; count < (edit === 0 ? 40 : 4); count++) cluster.edit();
        const { state, changed } = tracker.take();
        await backend.sync(state, edit === 0 ? 'all' : changed);
        await runProgram({ command: ['conntrack', '-F'], netns: lab.node });
        // Affinity would make the answer depend on earlier packets.
        const table = buildTable({
          ...state,
          ports: new Map([...state.ports].filter(([, { port }]) => port.affinitySeconds === 0)),
        });
        const whole = buildTable(state);
        const probes = Array.from({ length: packetsPerState }, () => randomProbe(random, table));
        const outcomes = await Promise.all(
          probes.map((probe) => {
            const { verdict } = evaluate(whole, probe);
            return lab.send({ ...probe, timeoutMs: verdict === 'drop' || verdict === 'pass' ? 300 : patienceMs });
          }),
        );
        for (const [index, probe] of probes.entries()) {
          const evaluation = evaluate(whole, probe);
          const label = `TOWTANK_SEED=${seed + run} edit ${edit} ${JSON.stringify(probe)}: ${JSON.stringify(outcomes[index])}`;
          expect(
            isAgreed(outcomes[index]!, evaluation, probe.source),
            `${label} against ${JSON.stringify(evaluation)}`,
          ).toBe(true);
        }
      }
    }
  },
);
