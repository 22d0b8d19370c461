import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { createNftRunner } from '../../../src/kernel/runners/nft-runner.ts';
import type { NftRunner } from '../../../src/netfilter/runner.ts';
import type { SyncReport } from '../../../src/proxy/proxy-backend.ts';
import {
  buildNodeFacts,
  buildProxyEndpoint,
  buildSelectedPort,
  buildServicePort,
} from '../../helpers/build-proxy-facts.ts';
import { leaveNothing } from '../../helpers/leak-check.ts';
import { PacketLab } from '../../helpers/packet-lab.ts';
import type { TransportKind } from '../../helpers/transport-lab.ts';
import { startUserspaceNode } from '../../helpers/userspace-node.ts';

leaveNothing();

const FAMILIES = {
  ipv4: {
    node: '172.18.0.2',
    vip: '10.96.0.10',
    balancer: '203.0.113.5',
    endpoints: ['10.244.0.2', '10.244.0.3'],
    pod: '10.244.0.9',
    outside: '192.0.2.7',
    cidr: '10.244.0.0/16',
    ports: ['10.244.0.2:8080', '10.244.0.3:8080'],
  },
  ipv6: {
    node: 'fd00:172:18::2',
    vip: 'fd00:10:96::10',
    balancer: '2001:db8:cb::5',
    endpoints: ['fd00:10:244::2', 'fd00:10:244::3'],
    pod: 'fd00:10:244::9',
    outside: '2001:db8:7::7',
    cidr: 'fd00:10:244::/64',
    ports: ['[fd00:10:244::2]:8080', '[fd00:10:244::3]:8080'],
  },
} as const;
type Family = keyof typeof FAMILIES;

interface Options {
  readonly family: Family;
  readonly kind: TransportKind;
  readonly portalRules: 'nftables' | 'iptables';
  readonly nft?: (runner: NftRunner) => NftRunner;
}

async function start(stack: AsyncDisposableStack, { family, kind, portalRules, nft = (same) => same }: Options) {
  const facts = FAMILIES[family];
  const lab = stack.use(
    await PacketLab.create('node-1', {
      family,
      nodeAddresses: [facts.node],
      backends: facts.ports,
      // The second endpoint is a pod that sends as well.
      pods: [facts.pod, facts.endpoints[1]],
      outside: [facts.outside],
    }),
  );
  const node = buildNodeFacts({
    family,
    nodeIP: facts.node,
    localDetector: { kind: 'cidr', cidr: facts.cidr },
    nodePortAddresses: { kind: 'list', addresses: [facts.node] },
  });
  const { backend, errors, ...started } = await startUserspaceNode(stack, lab, {
    kind,
    node,
    portalRules,
    runners: { nft: nft(createNftRunner(lab.node)) },
  });
  const sync = async (nodeNames: readonly string[], preservesClient = true): Promise<void> => {
    const port = buildServicePort({
      family,
      clusterIP: facts.vip,
      nodePort: 30_080,
      loadBalancerVIPs: [facts.balancer],
      ...(preservesClient && { preservesClient }),
    });
    const endpoints = nodeNames.map((nodeName, index) =>
      buildProxyEndpoint({ ip: facts.endpoints[index]!, port: 8080, address: facts.ports[index]!, nodeName }),
    );
    const selected = buildSelectedPort(port, endpoints, node);
    hiding = (await started.sync(selected)).hidingClients;
  };
  let hiding: SyncReport['hidingClients'];
  return { lab, facts, sync, backend, errors, problems: () => hiding?.map(({ cause }) => String(cause)) };
}

const rulesOf = (lab: PacketLab, family: Family): string =>
  lab.node
    .run(() =>
      execFileSync('sh', ['-c', `ip ${family === 'ipv6' ? '-6' : ''} rule; nft list ruleset; iptables-save -t mangle`]),
    )
    .toString();

describe.each([
  { family: 'ipv4', kind: 'engine', portalRules: 'nftables' },
  { family: 'ipv6', kind: 'engine', portalRules: 'nftables' },
  { family: 'ipv4', kind: 'engine', portalRules: 'iptables' },
  { family: 'ipv6', kind: 'engine', portalRules: 'iptables' },
  { family: 'ipv4', kind: 'plain', portalRules: 'nftables' },
  { family: 'ipv6', kind: 'plain', portalRules: 'nftables' },
] as const)('client addresses over $family, by $kind, with rules of $portalRules', (options) => {
  it('are what an endpoint of this node sees, from pods and from outside', async () => {
    await using stack = new AsyncDisposableStack();
    const { lab, facts, sync, backend, errors, problems } = await start(stack, options);
    await sync(['node-1']);
    expect(problems()).toEqual([]);
    for (const [from, source, destination, port] of [
      ['pod', facts.pod, facts.vip, 80],
      ['pod', facts.endpoints[1], facts.vip, 80],
      ['external', facts.outside, facts.node, 30_080],
      ['external', facts.outside, facts.balancer, 80],
      ['node', facts.node, facts.vip, 80],
    ] as const) {
      const outcome = await lab.send({ from, source, destination, port, protocol: 'tcp' });
      expect(outcome).toEqual({ kind: 'answered', backend: facts.ports[0], seenSource: source });
    }
    expect(errors).toEqual([]);
    expect(rulesOf(lab, options.family)).toMatch(/0x2000/);
    await backend.cleanup();
    expect(rulesOf(lab, options.family)).not.toMatch(/0x2000|towtank-replies/);
  });

  it('are not preserved for an endpoint that reaches itself, which works', async () => {
    await using stack = new AsyncDisposableStack();
    const { lab, facts, sync } = await start(stack, options);
    await sync(['node-1', 'node-1']);
    const seen = new Map<string, string>();
    await expect
      .poll(async () => {
        const sent = {
          from: 'pod',
          source: facts.endpoints[1],
          destination: facts.vip,
          port: 80,
          protocol: 'tcp',
        } as const;
        const outcome = await lab.send(sent);
        if (outcome.kind !== 'answered') throw new Error(outcome.kind);
        seen.set(outcome.backend, outcome.seenSource);
        return seen.size;
      })
      .toBe(2);
    expect(seen.get(facts.ports[0]!)).toBe(facts.endpoints[1]);
    expect(seen.get(facts.ports[1]!)).not.toBe(facts.endpoints[1]);
  });

  it('are not preserved where nobody asks, and an endpoint of another node sees the node', async () => {
    await using stack = new AsyncDisposableStack();
    const { lab, facts, sync, problems } = await start(stack, options);
    const send = () => lab.send({ from: 'pod', source: facts.pod, destination: facts.vip, port: 80, protocol: 'tcp' });
    await sync(['node-1'], false);
    expect(problems()).toEqual([]);
    expect(await send()).toMatchObject({ kind: 'answered', seenSource: facts.node });
    expect(rulesOf(lab, options.family)).not.toMatch(/0x2000/);
    await sync(['node-2']);
    expect(problems()).toEqual([
      expect.stringContaining('endpoints on other nodes, whose replies do not pass this one: 1'),
    ]);
    expect(await send()).toMatchObject({ kind: 'answered', seenSource: facts.node });
    await sync(['node-1']);
    expect(problems()).toEqual([]);
    expect(await send()).toMatchObject({ kind: 'answered', seenSource: facts.pod });
  });
});

it('a kernel that cannot lead replies back is named, and the traffic goes on from the node', async () => {
  await using stack = new AsyncDisposableStack();
  const refuse = (runner: NftRunner): NftRunner => ({
    ...runner,
    run: (script, more) =>
      script.includes('socket transparent') ? Promise.reject(new Error('no nft_socket')) : runner.run(script, more),
  });
  const options = { family: 'ipv4', kind: 'engine', portalRules: 'nftables', nft: refuse } as const;
  const { lab, facts, sync, problems } = await start(stack, options);
  await sync(['node-1']);
  expect(problems()).toEqual([
    expect.stringContaining('cannot be led back to the proxy (towtank doctor knows more): no nft_socket'),
  ]);
  const sent = { from: 'pod', source: facts.pod, destination: facts.vip, port: 80, protocol: 'tcp' } as const;
  expect(await lab.send(sent)).toMatchObject({ kind: 'answered', seenSource: facts.node });
});
