import { describe, expect, it } from 'vitest';
import { createIptablesRunner } from '../../../src/kernel/runners/iptables-runner.ts';
import type { Random } from '../../../src/kube/clock.ts';
import { type Evaluation, evaluatePacket } from '../../../src/netfilter/evaluate/evaluate-packet.ts';
import { parseRuleset } from '../../../src/netfilter/iptables/parse-ruleset.ts';
import { ServiceFacts } from '../../../src/proxy/facts/service-facts.ts';
import { StateTracker } from '../../../src/proxy/facts/state-tracker.ts';
import { buildRuleset } from '../../../src/proxy/iptables/build-ruleset.ts';
import { IptablesBackend } from '../../../src/proxy/iptables/iptables-backend.ts';
import type { ProxyState } from '../../../src/proxy/proxy-backend.ts';
import { buildNodeFacts } from '../../helpers/build-proxy-facts.ts';
import { comparableRules } from '../../helpers/compare-rules.ts';
import { leaveNothing } from '../../helpers/leak-check.ts';
import { PacketLab, type PacketOutcome, patienceMs } from '../../helpers/packet-lab.ts';
import { RandomCluster, ZONES } from '../../helpers/random-services.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';

const RUNS = Number(process.env['TOWTANK_PROPERTY_RUNS'] ?? 6);
const SEED = Number(process.env['TOWTANK_SEED'] ?? 9100);
const PACKETS = 25;
const NODE = '172.18.0.2';
const PODS = ['10.10.0.100', '10.10.0.1', '10.10.0.2', '10.10.0.3'];
const OUTSIDE = ['192.0.2.7', '198.51.100.7', '203.0.113.9'];
const BACKENDS = Array.from({ length: 12 }, (_, index) =>
  [8080, 8081, 8082].map((port) => `10.10.0.${index + 1}:${port}`),
);
const OPTIONS = { conntrackTcpBeLiberal: false };

interface Probe {
  readonly from: 'pod' | 'node' | 'external';
  readonly source: string;
  readonly protocol: 'tcp' | 'udp';
  readonly destination: string;
  readonly port: number;
}

function randomProbe(random: Random, { ports }: ProxyState): Probe {
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  const from = pick(['pod', 'node', 'external'] as const);
  const source = { pod: pick(PODS), node: NODE, external: pick(OUTSIDE) }[from];
  const [...known] = ports.values();
  if (known.length === 0 || random() < 0.1)
    return { from, source, protocol: 'tcp', destination: '10.96.0.99', port: 80 };
  const { port } = pick(known);
  const { protocol, clusterIP, externalIPs, loadBalancerVIPs, nodePort } = port;
  const targets = [clusterIP, ...externalIPs, ...loadBalancerVIPs].map((destination) => ({
    destination,
    port: port.port,
  }));
  const target = pick([...targets, ...(nodePort === 0 ? [] : [{ destination: NODE, port: nodePort }])]);
  return { from, source, protocol: protocol === 'udp' ? 'udp' : 'tcp', ...target };
}

function agrees(outcome: PacketOutcome, { verdict, endpoints }: Evaluation, source: string): boolean {
  const backend = outcome.kind === 'answered' ? outcome.backend : '';
  if (verdict === 'reject') return outcome.kind === 'refused' && outcome.code === 'ECONNREFUSED';
  if (verdict === 'drop') return outcome.kind === 'silence';
  if (verdict === 'pass') return !/^\d/.test(backend);
  if (outcome.kind !== 'answered') return false;
  const masquerade = outcome.seenSource !== source;
  return endpoints.some((endpoint) => endpoint.address === backend && endpoint.masquerade === masquerade);
}

describe.each(['nft', 'legacy'] as const)('on iptables-%s', (way) => {
  leaveNothing();

  it(`kernel, builder and evaluator agree about ${RUNS} states with ${PACKETS} packets each (seed ${SEED})`, {
    timeout: 60_000 + RUNS * 10_000,
  }, async () => {
    await using lab = await PacketLab.create('node-1', {
      family: 'ipv4',
      nodeAddresses: [NODE],
      backends: BACKENDS.flat(),
      pods: PODS,
      outside: OUTSIDE,
      passPorts: [80, 81],
    });
    const random = seededRandom(SEED);
    const facts = new ServiceFacts();
    const cluster = new RandomCluster(random, 'ipv4');
    const node = buildNodeFacts({ zone: ZONES[0]!, localDetector: { kind: 'cidr', cidr: '10.10.0.0/16' } });
    using tracker = new StateTracker(facts, node, () => {});
    const runner = createIptablesRunner(lab.node, { backend: way });
    const backend = new IptablesBackend({ family: 'ipv4', runner, ...OPTIONS });
    for (let run = 0; run < RUNS; run++) {
      for (let change = 0; change < 8; change++) cluster.change(facts);
      const { state, changed } = tracker.take();
      await backend.sync(state, run === 0 ? 'all' : changed);
      const ruleset = buildRuleset(state, OPTIONS);
      const inKernel = parseRuleset('ipv4', await runner.save('ipv4'));
      expect(comparableRules(inKernel, { unordered: /^$/ })).toEqual(comparableRules(ruleset, { unordered: /^$/ }));
      for (let packet = 0; packet < PACKETS; packet++) {
        const probe = randomProbe(random, state);
        const evaluation = evaluatePacket(
          { iptables: [ruleset] },
          {
            ...probe,
            sourcePort: 40_000,
            destinationPort: probe.port,
            from: probe.from === 'node' ? 'host' : 'network',
          },
          { localAddresses: [NODE] },
        );
        const silent = evaluation.verdict === 'drop' || evaluation.verdict === 'pass';
        const outcome = await lab.send({ ...probe, timeoutMs: silent ? 150 : patienceMs });
        const message = JSON.stringify({
          probe,
          outcome,
          verdict: evaluation.verdict,
          endpoints: evaluation.endpoints,
        });
        expect(agrees(outcome, evaluation, probe.source), message).toBe(true);
      }
    }
  });
});
