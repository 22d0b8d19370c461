import { describe, expect, test } from 'vitest';
import { resources } from '../../../../src/kube/resources.ts';
import type { NodeFacts } from '../../../../src/kubelet/node/build-node.ts';
import { Heartbeats } from '../../../../src/kubelet/node/heartbeats.ts';
import { registerNode } from '../../../../src/kubelet/node/register-node.ts';
import { FakeKubeClient } from '../../../helpers/fake-kube-client.ts';
import { SteppedClock } from '../../../helpers/stepped-clock.ts';

const facts = (name: string): NodeFacts => ({
  name,
  addresses: ['172.18.0.2', 'fc00::2'],
  podCIDRs: ['10.244.1.0/24', 'fd00::/64'],
  labels: { 'topology.kubernetes.io/zone': 'a' },
  maxPods: 110,
  kubeletVersion: 'v1.33.1',
  containerRuntimeVersion: 'towtank://0.1.0',
  machine: {
    architecture: 'amd64',
    bootID: 'b',
    kernelVersion: '6.18.0',
    machineID: 'm',
    osImage: 'Debian',
    cpus: 2,
    memoryBytes: 4 * 2 ** 30,
    diskBytes: 2 ** 30,
  },
});

describe('a node', () => {
  test('registers with what this machine is', async () => {
    const client = new FakeKubeClient();
    await registerNode(client, facts('node-1'), client.clock.now());
    const node = client.peek(resources.nodes, 'node-1');
    expect(node?.spec).toEqual({ podCIDR: '10.244.1.0/24', podCIDRs: ['10.244.1.0/24', 'fd00::/64'] });
    expect(node?.metadata?.labels).toMatchObject({
      'kubernetes.io/hostname': 'node-1',
      'topology.kubernetes.io/zone': 'a',
    });
    expect(node?.status).toMatchObject({
      capacity: { cpu: '2', memory: '4194304Ki', pods: '110' },
      addresses: [
        { type: 'InternalIP', address: '172.18.0.2' },
        { type: 'InternalIP', address: 'fc00::2' },
        { type: 'Hostname', address: 'node-1' },
      ],
      nodeInfo: { kernelVersion: '6.18.0', osImage: 'Debian', kubeletVersion: 'v1.33.1' },
    });
    expect(node?.status?.conditions?.map(({ type, status }) => `${type}=${status}`)).toEqual([
      'MemoryPressure=False',
      'DiskPressure=False',
      'PIDPressure=False',
      'Ready=True',
    ]);
  });

  test('that is registered already keeps what others have set', async () => {
    const client = new FakeKubeClient();
    client.put(resources.nodes, {
      metadata: { name: 'node-1', labels: { mine: '1' } },
      spec: { unschedulable: true, podCIDR: '10.9.0.0/24' },
      status: { conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: '2025-01-01T00:00:00Z' }] },
    });
    await registerNode(client, facts('node-1'), client.clock.now());
    const node = client.peek(resources.nodes, 'node-1');
    expect(node?.metadata?.labels).toMatchObject({ mine: '1', 'kubernetes.io/hostname': 'node-1' });
    expect(node?.spec).toEqual({ unschedulable: true, podCIDR: '10.9.0.0/24' });
    expect(node?.status?.conditions?.find(({ type }) => type === 'Ready')).toMatchObject({
      status: 'True',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    });
  });
});

describe('heartbeats', () => {
  test('of all nodes need one timer, renew leases every ten seconds and the status every five minutes', async () => {
    const clock = new SteppedClock();
    const client = new FakeKubeClient(clock);
    const errors: unknown[] = [];
    using heartbeats = new Heartbeats({ client, clock, onError: (error) => errors.push(error) });
    for (const name of ['node-1', 'node-2', 'node-3']) {
      await registerNode(client, facts(name), clock.now());
      await heartbeats.add(facts(name));
    }
    expect(clock.pending).toBe(1);
    await clock.step(10_000);
    const lease = client.peek(resources.leases, 'kube-node-lease/node-2');
    expect(lease?.spec).toEqual({
      holderIdentity: 'node-2',
      leaseDurationSeconds: 40,
      renewTime: '2026-01-01T00:00:10.000000Z',
    });
    expect(lease?.metadata?.ownerReferences?.[0]?.kind).toBe('Node');
    await clock.step(290_000);
    const ready = client.peek(resources.nodes, 'node-1')?.status?.conditions?.find(({ type }) => type === 'Ready');
    expect(ready).toMatchObject({
      lastHeartbeatTime: '2026-01-01T00:05:00Z',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    });
    expect(errors).toEqual([]);
  });

  test('of a removed node stop, the others go on', async () => {
    const clock = new SteppedClock();
    const client = new FakeKubeClient(clock);
    using heartbeats = new Heartbeats({ client, clock, onError: () => {} });
    for (const name of ['node-1', 'node-2']) {
      await registerNode(client, facts(name), clock.now());
      await heartbeats.add(facts(name));
    }
    heartbeats.remove('node-1');
    await clock.step(10_000);
    const renewed = (name: string) => client.peek(resources.leases, `kube-node-lease/${name}`)?.spec?.renewTime;
    expect(renewed('node-1')).toBe('2026-01-01T00:00:00.000000Z');
    expect(renewed('node-2')).toBe('2026-01-01T00:00:10.000000Z');
  });
});
