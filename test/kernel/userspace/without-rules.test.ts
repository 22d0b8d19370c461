import { describe, expect, it } from 'vitest';
import {
  buildNodeFacts,
  buildProxyEndpoint,
  buildSelectedPort,
  buildServicePort,
} from '../../helpers/build-proxy-facts.ts';
import { leaveNothing } from '../../helpers/leak-check.ts';
import { PacketLab, type Transport as Protocol } from '../../helpers/packet-lab.ts';
import { LAB } from '../../helpers/proxy-node.ts';
import { TRANSPORTS, type TransportKind } from '../../helpers/transport-lab.ts';
import { startUserspaceNode } from '../../helpers/userspace-node.ts';

leaveNothing();

const VIP = '10.96.0.10';
const LOAD_BALANCER = '203.0.113.5';
const endpoints = ['10.244.0.2', '10.244.0.3'].map((ip) => buildProxyEndpoint({ ip, port: 8080 }));
const node = buildNodeFacts({ nodePortAddresses: { kind: 'list', addresses: ['172.18.0.2'] } });

const from = {
  pod: { from: 'pod', source: '10.244.0.9' },
  node: { from: 'node', source: '172.18.0.2' },
  outside: { from: 'external', source: '192.0.2.7' },
} as const;

async function start(stack: AsyncDisposableStack, kind: TransportKind) {
  const lab = stack.use(await PacketLab.create('node-1', LAB));
  return { lab, ...(await startUserspaceNode(stack, lab, { kind, node, portalRules: 'none' })) };
}

describe.each(TRANSPORTS)('without rules, by %s', (kind) => {
  it.each(['tcp', 'udp'] as const)('%s reaches cluster IP, node port and load balancer address', async (protocol) => {
    await using stack = new AsyncDisposableStack();
    const { lab, sync, errors } = await start(stack, kind);
    await sync(buildSelectedPort(portOf(protocol), endpoints, node));
    for (const sender of Object.values(from)) {
      for (const [destination, port] of [
        [VIP, 80],
        ['172.18.0.2', 30_080],
        [LOAD_BALANCER, 80],
      ] as const) {
        const outcome = await lab.send({ ...sender, protocol, destination, port, timeoutMs: 20_000 });
        expect(outcome, `${sender.from} to ${destination}`).toMatchObject({ kind: 'answered' });
      }
    }
    expect(errors).toEqual([]);
  });

  it('what has no endpoints is refused, and an address is given up with its last listener', async () => {
    await using stack = new AsyncDisposableStack();
    const { lab, sync, backend } = await start(stack, kind);
    const ask = (port: number, timeoutMs = 20_000) =>
      lab.send({ ...from.pod, protocol: 'tcp', destination: VIP, port, timeoutMs });
    const other = buildServicePort({ name: 'other', port: 81 });
    await sync(buildSelectedPort(portOf('tcp'), endpoints, node), buildSelectedPort(other, endpoints, node));
    expect(await ask(80)).toMatchObject({ kind: 'answered' });
    await sync(buildSelectedPort(portOf('tcp'), [], node), buildSelectedPort(other, endpoints, node));
    await expect.poll(() => ask(80), { timeout: 30_000 }).toEqual({ kind: 'refused', code: 'ECONNREFUSED' });
    expect(await ask(81)).toMatchObject({ kind: 'answered' });
    await backend.cleanup();
    // Nobody has the address now: packets to it go on to where the default route leads.
    expect(await ask(81, 300)).not.toMatchObject({ kind: 'answered' });
  });

  it('source ranges hold for the load balancer address only', async () => {
    await using stack = new AsyncDisposableStack();
    const { lab, sync } = await start(stack, kind);
    const port = portOf('tcp', { loadBalancerSourceRanges: ['198.51.100.0/24'] });
    await sync(buildSelectedPort(port, endpoints, node));
    const ask = (destination: string, number: number) =>
      lab.send({ ...from.outside, protocol: 'tcp', destination, port: number, timeoutMs: 20_000 });
    expect(await ask(LOAD_BALANCER, 80)).toMatchObject({ kind: 'refused' });
    expect(await ask('172.18.0.2', 30_080)).toMatchObject({ kind: 'answered' });
  });
});

function portOf(protocol: Protocol, options: Parameters<typeof buildServicePort>[0] = {}) {
  return buildServicePort({ protocol, nodePort: 30_080, loadBalancerVIPs: [LOAD_BALANCER], ...options });
}
