import { afterEach, describe, expect, it } from 'vitest';
import { resources } from '../../../src/kube/resources.ts';
import { buildEndpoint, buildEndpointSlice, buildService } from '../../helpers/build-objects.ts';
import { chiSquareP } from '../../helpers/chi-square.ts';
import type { PacketLab } from '../../helpers/packet-lab.ts';
import { startProxyNode, WAYS } from '../../helpers/proxy-node.ts';

const IPS = ['10.244.0.2', '10.244.0.3', '10.244.0.4', '10.244.0.5'];
const BACKENDS = IPS.map((ip) => `${ip}:8080`);
const CONNECTIONS = 400;

const slice = buildEndpointSlice({
  endpoints: IPS.map((ip) => buildEndpoint({ ip })),
});

async function ask(lab: PacketLab, source = '10.244.0.9'): Promise<string> {
  const outcome = await lab.send({ from: 'pod', source, protocol: 'tcp', destination: '10.96.0.10', port: 80 });
  return outcome.kind === 'answered' ? outcome.backend : outcome.kind;
}

async function countAnswers(lab: PacketLab, connections: number): Promise<number[]> {
  const counts = new Map(BACKENDS.map((backend) => [backend, 0]));
  for (let i = 0; i < connections; i++) {
    const backend = await ask(lab);
    counts.set(backend, (counts.get(backend) ?? 0) + 1);
  }
  return [...counts.values()];
}

describe.each(WAYS)('balancing on %s', (way) => {
  let stack = new AsyncDisposableStack();
  afterEach(async () => {
    await stack.disposeAsync();
    stack = new AsyncDisposableStack();
  });

  it('spreads connections evenly at random by default', async () => {
    const { lab, client, proxy } = await startProxyNode(stack, { way, lab: { backends: BACKENDS } });
    client.put(resources.services, buildService());
    client.put(resources.endpointSlices, slice);
    await proxy.synced;
    await expect.poll(() => ask(lab)).toMatch(/:8080$/);
    const counts = await countAnswers(lab, CONNECTIONS);
    const { p } = chiSquareP(counts);
    process.stdout.write(`${way} random: ${counts.join(' ')}, p = ${p.toFixed(4)}\n`);
    expect(counts).toHaveLength(IPS.length);
    // An even spread fails this once in a million runs.
    expect(p).toBeGreaterThan(1e-6);
  });

  it('takes one endpoint after the other when the Service asks for round-robin', async () => {
    const { lab, client, proxy } = await startProxyNode(stack, { way, lab: { backends: BACKENDS } });
    client.put(resources.services, buildService({ annotations: { 'towtank.dev/balancing': 'round-robin' } }));
    client.put(resources.endpointSlices, slice);
    await proxy.synced;
    await expect.poll(() => ask(lab)).toMatch(/:8080$/);
    expect(await countAnswers(lab, 40)).toEqual([10, 10, 10, 10]);
    const round = [await ask(lab), await ask(lab), await ask(lab), await ask(lab)];
    expect(new Set(round).size).toBe(4);
    expect(await ask(lab)).toBe(round[0]);
  });

  it('takes one endpoint after the other when the cluster does, unless a Service asks for random', async () => {
    const { lab, client, proxy } = await startProxyNode(stack, {
      way,
      lab: { backends: BACKENDS },
      config: { balancing: 'round-robin' },
    });
    client.put(resources.services, buildService());
    client.put(resources.endpointSlices, slice);
    await proxy.synced;
    await expect.poll(() => ask(lab)).toMatch(/:8080$/);
    expect(await countAnswers(lab, 8)).toEqual([2, 2, 2, 2]);
    client.put(resources.services, buildService({ annotations: { 'towtank.dev/balancing': 'random' } }));
    await expect.poll(async () => (await countAnswers(lab, 8)).join()).not.toBe('2,2,2,2');
  });

  it('keeps a client at its endpoint with session affinity, by any address of the Service, until that is gone', async () => {
    const pods = ['10.244.0.9', '10.244.0.10', '10.244.0.11', '10.244.0.12', '10.244.0.13', '10.244.0.14'];
    const { lab, client, proxy } = await startProxyNode(stack, { way, lab: { backends: BACKENDS, pods } });
    const spec = { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 600 } } };
    const ports = [{ port: 80, protocol: 'TCP', targetPort: 8080, nodePort: 30080 }];
    client.put(resources.services, buildService({ type: 'NodePort', ports, spec }));
    client.put(resources.endpointSlices, slice);
    await proxy.synced;
    await expect.poll(() => ask(lab)).toMatch(/:8080$/);
    const homes = new Map<string, string>();
    for (const pod of pods) homes.set(pod, await ask(lab, pod));
    for (const pod of pods) {
      for (let i = 0; i < 5; i++) expect(await ask(lab, pod)).toBe(homes.get(pod));
      const byNodePort = { from: 'pod', source: pod, protocol: 'tcp', destination: '172.18.0.2', port: 30080 } as const;
      expect(await lab.send(byNodePort)).toMatchObject({ backend: homes.get(pod) });
    }
    const lost = homes.get(pods[0]!)!;
    client.put(
      resources.endpointSlices,
      buildEndpointSlice({
        endpoints: IPS.filter((ip) => !lost.startsWith(`${ip}:`)).map((ip) => buildEndpoint({ ip })),
      }),
    );
    await expect.poll(() => ask(lab, pods[0])).not.toBe(lost);
    for (const pod of pods.filter((name) => homes.get(name) !== lost)) expect(await ask(lab, pod)).toBe(homes.get(pod));
  });
});
