import { afterEach, describe, expect, it } from 'vitest';
import { EventRecorder } from '../../../src/kube/event-recorder.ts';
import { SharedInformers } from '../../../src/kube/informers.ts';
import { resources } from '../../../src/kube/resources.ts';
import type { ConntrackFlow, ConntrackRunner } from '../../../src/netfilter/runner.ts';
import type { ProxyConfig } from '../../../src/proxy/config/proxy-config.ts';
import type { ProxyLog } from '../../../src/proxy/proxy-log.ts';
import { startProxy } from '../../../src/proxy/proxy-server.ts';
import { feedServiceFacts } from '../../../src/proxy/service-facts-feed.ts';
import { buildEndpoint, buildEndpointSlice, buildNode, buildService } from '../../helpers/build-objects.ts';
import { FakeIptables } from '../../helpers/fake-iptables.ts';
import { FakeKubeClient } from '../../helpers/fake-kube-client.ts';
import { SteppedClock } from '../../helpers/stepped-clock.ts';

let stack = new AsyncDisposableStack();
afterEach(async () => {
  await stack.disposeAsync();
  stack = new AsyncDisposableStack();
});

async function start(config: Partial<ProxyConfig> = {}, client = new FakeKubeClient(new SteppedClock())) {
  const clock = client.clock as SteppedClock;
  client.put(resources.nodes, buildNode({ name: 'node-1' }));
  const informers = stack.use(new SharedInformers(client, clock));
  const kernel = new FakeIptables();
  const flows: ConntrackFlow[] = [];
  const conntrack: ConntrackRunner & { refuse: boolean } = {
    refuse: false,
    list: async () => {
      if (conntrack.refuse) throw new Error('no');
      return [...flows];
    },
    delete: async (stale) => stale.map((flow) => flows.splice(flows.indexOf(flow), 1)).length,
  };
  const log: ProxyLog[] = [];
  const onError = (error: unknown): void => expect.unreachable(String(error));
  const recorder = stack.use(new EventRecorder({ client, clock, component: 'kube-proxy', onError }));
  const services = feedServiceFacts({ informers, recorder });
  const proxy = stack.use(
    await startProxy({
      client,
      clock,
      informers,
      services,
      nodeName: 'node-1',
      families: ['ipv4'],
      config: { clusterCIDRs: ['10.244.0.0/16'], ...config },
      runners: { iptables: kernel, conntrack },
      addresses: () => ['172.18.0.2', '127.0.0.1'],
      log: (entry) => log.push(entry),
    }),
  );
  return { client, clock, kernel, proxy, log, flows, conntrack };
}

const web = buildService();
const slice = buildEndpointSlice({ endpoints: [buildEndpoint()] });

const udpService = buildService({ ports: [{ port: 53, protocol: 'UDP' }] });
const udpSlice = ({ serving, ready = '10.244.0.2' }: { readonly serving: boolean; readonly ready?: string }) =>
  buildEndpointSlice({
    ports: [{ name: '', port: 8080, protocol: 'UDP' }],
    endpoints: [
      buildEndpoint({ ip: ready }),
      buildEndpoint({ ip: '10.244.0.3', ready: false, serving, terminating: true }),
    ],
  });
const flowTo = (backend: string): ConntrackFlow => ({
  family: 'ipv4',
  protocol: 'udp',
  original: { source: '10.244.0.9', sourcePort: 4000, destination: '10.96.0.10', destinationPort: 53 },
  reply: { source: backend, sourcePort: 8080, destination: '10.244.0.9', destinationPort: 4000 },
});

describe('a proxy', () => {
  it('writes no rule before it knows Services and EndpointSlices', async () => {
    const client = new FakeKubeClient(new SteppedClock());
    client.put(resources.services, web);
    let away = true;
    client.react(({ verb, resource }) =>
      away && verb === 'list' && resource === 'endpointslices' ? new Error('away') : undefined,
    );
    const { clock, kernel, proxy } = await start({}, client);
    await clock.step(1000);
    expect(kernel.restored).toEqual([]);
    away = false;
    client.put(resources.endpointSlices, slice);
    await clock.step(5000);
    await proxy.synced;
    expect(kernel.restored).toHaveLength(1);
    expect(kernel.restored[0]).toContain('--to-destination 10.244.0.2:8080');
  });

  it('counts what was there before as changes', async () => {
    const { client, clock, proxy } = await start();
    client.put(resources.services, web, buildService({ name: 'other', clusterIP: '10.96.0.11' }));
    client.put(resources.endpointSlices, slice);
    await clock.step(1000);
    await proxy.synced;
    expect(proxy.metrics()).toContain('sync_proxy_rules_service_changes_total{ip_family="IPv4"} 2');
    expect(proxy.metrics()).toContain('sync_proxy_rules_endpoint_changes_total{ip_family="IPv4"} 1');
    expect(proxy.metrics()).toContain('sync_proxy_rules_last_queued_timestamp_seconds');
  });

  it('brings a change into the kernel at once', async () => {
    const { client, clock, kernel, proxy } = await start();
    await clock.step(0);
    await proxy.synced;
    const before = clock.now();
    client.put(resources.services, web);
    client.put(resources.endpointSlices, slice);
    await clock.step(0);
    expect(clock.now()).toBe(before);
    expect(await kernel.save('ipv4')).toContain('--to-destination 10.244.0.2:8080');
  });

  it('repairs its rules within the sync period', async () => {
    const { client, clock, kernel, proxy } = await start({ syncPeriodMs: 30_000 });
    client.put(resources.services, web);
    await clock.step(100);
    await proxy.synced;
    for (const table of ['mangle', 'nat', 'filter'] as const) kernel.flush('ipv4', table);
    await clock.step(30_000);
    expect(await kernel.save('ipv4')).toContain('default/web has no endpoints');
  });

  it('tries again when the kernel refuses, is late meanwhile, and healthy afterwards', async () => {
    const { client, clock, kernel, proxy, log } = await start({ syncPeriodMs: 1000 });
    await clock.step(0);
    await proxy.synced;
    kernel.refuse = () => true;
    client.put(resources.services, web);
    await clock.step(1900);
    expect(proxy.health.live.healthy).toBe(true);
    await clock.step(200);
    expect(proxy.health.live.healthy).toBe(false);
    expect(log.some(({ level, message }) => level === 'error' && message.includes('sync of ipv4 rules failed'))).toBe(
      true,
    );
    expect(proxy.metrics()).toMatch(/iptables_restore_failures_total\{ip_family="IPv4"\} [1-9]/);
    kernel.refuse = () => false;
    await clock.step(2000);
    expect(proxy.health.live.healthy).toBe(true);
    expect(await kernel.save('ipv4')).toContain('default/web has no endpoints');
  });

  it('leaves out a Service that the kernel refuses, with an Event at it', async () => {
    const { client, clock, kernel, proxy } = await start();
    kernel.refuse = (rule) => rule.includes('10.244.0.66');
    const bad = buildEndpointSlice({ service: 'bad', endpoints: [buildEndpoint({ ip: '10.244.0.66' })] });
    client.put(resources.services, web, buildService({ name: 'bad', clusterIP: '10.96.0.66' }));
    client.put(resources.endpointSlices, slice, bad);
    await clock.step(1000);
    await proxy.synced;
    expect(await kernel.save('ipv4')).toContain('--to-destination 10.244.0.2:8080');
    const events = client.all(resources.events);
    expect(events[0]?.involvedObject.uid).toBe(client.peek(resources.services, 'default/bad')?.metadata?.uid);
    expect(events.map(({ reason, involvedObject }) => [reason, involvedObject.name])).toEqual([
      ['FailedToWriteRules', 'bad'],
    ]);
    client.put(resources.services, buildService({ name: 'third', clusterIP: '10.96.0.67' }));
    await clock.step(1000);
    expect(client.all(resources.events)).toHaveLength(1);
    expect(client.all(resources.events)[0]?.count).toBe(1);
  });

  it('tells of addresses that had to be skipped, at the Service', async () => {
    const { client, clock, proxy } = await start();
    client.put(resources.services, web);
    const endpoints = [buildEndpoint(), buildEndpoint({ ip: 'fd00::2' }), buildEndpoint({ ip: 'nonsense' })];
    client.put(resources.endpointSlices, buildEndpointSlice({ endpoints }));
    await clock.step(1000);
    await proxy.synced;
    expect(
      client
        .all(resources.events)
        .map(({ reason }) => reason)
        .sort(),
    ).toEqual(['InvalidEndpointAddress', 'KubeProxyIncorrectIPVersion']);
  });

  it('ends UDP flows to an endpoint that stops serving, even when no rule led to it any more', async () => {
    const { client, clock, proxy, flows } = await start();
    client.put(resources.services, udpService);
    client.put(resources.endpointSlices, udpSlice({ serving: true }));
    await clock.step(100);
    await proxy.synced;
    flows.push(flowTo('10.244.0.2'), flowTo('10.244.0.3'));
    client.put(resources.services, buildService({ name: 'other', clusterIP: '10.96.0.11' }));
    await clock.step(100);
    expect(flows).toHaveLength(2);
    client.put(resources.endpointSlices, udpSlice({ serving: false }));
    await clock.step(100);
    expect(flows.map(({ reply }) => reply.source)).toEqual(['10.244.0.2']);
    expect(proxy.metrics()).toContain('conntrack_reconciler_deleted_entries_total{ip_family="IPv4"} 1');
  });

  it('ends UDP flows whose endpoint left while the kernel refused rules or to list flows', async () => {
    const { client, clock, kernel, proxy, flows, conntrack, log } = await start();
    client.put(resources.services, udpService);
    client.put(resources.endpointSlices, udpSlice({ serving: true }));
    await clock.step(100);
    await proxy.synced;
    flows.push(flowTo('10.244.0.3'));
    kernel.refuse = () => true;
    client.put(resources.endpointSlices, udpSlice({ serving: false, ready: '10.244.0.4' }));
    await clock.step(50);
    conntrack.refuse = true;
    kernel.refuse = () => false;
    await clock.step(2000);
    expect(log.map(({ message }) => message)).toContain('clean-up of ipv4 UDP flows failed');
    expect(flows).toHaveLength(1);
    conntrack.refuse = false;
    client.put(resources.services, buildService({ name: 'other', clusterIP: '10.96.0.11' }));
    await clock.step(100);
    expect(flows).toEqual([]);
  });

  it('measures from changes that began when it ran, not from older ones', async () => {
    const { client, clock, proxy } = await start();
    const at = (ms: number, ip: string) => {
      const changed = buildEndpointSlice({ endpoints: [buildEndpoint({ ip })] });
      const annotations = { 'endpoints.kubernetes.io/last-change-trigger-time': new Date(ms).toISOString() };
      return { ...changed, metadata: { ...changed.metadata, annotations } };
    };
    const startedAt = clock.now();
    client.put(resources.services, web);
    client.put(resources.endpointSlices, slice);
    await clock.step(1000);
    await proxy.synced;
    client.put(resources.endpointSlices, at(startedAt - 60_000, '10.244.0.3'));
    await clock.step(1000);
    expect(proxy.metrics()).not.toContain('network_programming_duration_seconds_count');
    client.put(resources.endpointSlices, at(clock.now(), '10.244.0.4'));
    await clock.step(1000);
    expect(proxy.metrics()).toContain('network_programming_duration_seconds_count{ip_family="IPv4"} 1');
  });

  it('follows its node: zone, addresses, taint', async () => {
    const { client, clock, kernel, proxy } = await start({ nodePortAddresses: ['primary'] });
    client.put(
      resources.services,
      buildService({ type: 'NodePort', ports: [{ port: 80, protocol: 'TCP', nodePort: 30_000 }] }),
    );
    await clock.step(100);
    await proxy.synced;
    const jumps = async () =>
      (await kernel.save('ipv4')).split('\n').filter((line) => line.includes('must be the last rule'));
    expect(await jumps()).toEqual([expect.stringContaining('-d 172.18.0.2/32')]);
    client.put(resources.nodes, buildNode({ name: 'node-1', ips: ['172.18.0.7'] }));
    client.put(resources.nodes, buildNode({ name: 'node-2', ips: ['172.18.0.8'] }));
    await clock.step(100);
    expect(await jumps()).toEqual([expect.stringContaining('-d 172.18.0.7/32')]);
    const taints = [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }];
    client.put(resources.nodes, buildNode({ name: 'node-1', ips: ['172.18.0.7'], spec: { taints } }));
    await clock.step(100);
    expect(proxy.health.health.healthy).toBe(false);
    expect(proxy.health.live.healthy).toBe(true);
  });

  it('in mode NodeCIDR waits until its node has a pod CIDR', async () => {
    const client = new FakeKubeClient(new SteppedClock());
    const { clock, kernel, proxy } = await start({ detectLocalMode: 'NodeCIDR' }, client);
    client.put(resources.nodes, buildNode({ name: 'node-1', podCIDRs: [] }));
    client.put(resources.services, web);
    await clock.step(1000);
    const before = kernel.restored.length;
    client.put(resources.nodes, buildNode({ name: 'node-1', podCIDRs: ['10.244.7.0/24'] }));
    client.put(resources.endpointSlices, slice);
    await clock.step(1000);
    await proxy.synced;
    expect(kernel.restored.length).toBeGreaterThan(before);
    expect(await kernel.save('ipv4')).toContain('! -s 10.244.7.0/24');
  });

  it('survives the API going away, and brings what happened meanwhile', async () => {
    const { client, clock, kernel, proxy, log } = await start();
    client.put(resources.services, web);
    await clock.step(0);
    await proxy.synced;
    client.endWatches(new Error('gone'));
    client.put(resources.endpointSlices, slice);
    await clock.step(10_000);
    expect(await kernel.save('ipv4')).toContain('--to-destination 10.244.0.2:8080');
    expect(log).toEqual([]);
  });

  it('leaves its rules when it ends, and leaves nothing running', async () => {
    const { client, clock, kernel, proxy } = await start();
    client.put(resources.services, web);
    await clock.step(0);
    await proxy.synced;
    const saved = await kernel.save('ipv4');
    await proxy[Symbol.asyncDispose]();
    client.put(resources.endpointSlices, slice);
    await clock.step(100_000);
    expect(await kernel.save('ipv4')).toBe(saved);
  });

  it('writes once an hour everything anew', async () => {
    const { client, clock, kernel, proxy } = await start();
    client.put(resources.services, web);
    await clock.step(0);
    await proxy.synced;
    const written = () => kernel.restored.filter((text) => text.includes(':KUBE-SERVICES'));
    const before = written().length;
    await clock.step(3_600_000);
    expect(written()).toHaveLength(before + 1);
  });
});
