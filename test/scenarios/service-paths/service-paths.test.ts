import { mkdtempSync, rmSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, createCluster, type Place } from '../../../src/index.ts';
import type { Pod, Service } from '../../../src/kube/generated/types.ts';

const MANIFEST = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: agnhost, args: [netexec, --http-port=8080, --udp-port=8081], ports: [{name: http, containerPort: 8080}]}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: LoadBalancer
  ipFamilyPolicy: RequireDualStack
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: v1
kind: Service
metadata: {name: web-headless}
spec: {clusterIP: None, selector: {app: web}, ports: [{name: http, port: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: nobody}
spec: {type: NodePort, selector: {app: nobody}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: caller}
spec: {containers: [{name: shell, image: busybox}]}
`;

const stateRoot = mkdtempSync(join(tmpdir(), 'tt-'));
afterAll(() => rmSync(stateRoot, { recursive: true, force: true }));
const inUrl = (address: string): string => (isIPv6(address) ? `[${address}]` : address);

describe.each([
  { proxyMode: 'iptables', balancing: 'random', cni: 'ptp' },
  { proxyMode: 'iptables', balancing: 'round-robin', cni: 'bridge' },
  { proxyMode: 'nftables', balancing: 'random', cni: 'bridge' },
  { proxyMode: 'nftables', balancing: 'round-robin', cni: 'ptp' },
  { proxyMode: 'userspace', balancing: 'random', cni: 'ptp' },
  { proxyMode: 'userspace', balancing: 'round-robin', cni: 'bridge' },
] as const)('Services with $proxyMode, $balancing, pods by $cni', (options) => {
  let cluster: Cluster;
  let web: Service;
  let nobody: Service;
  let pods: readonly Pod[];
  let caller: Place;
  let names: readonly string[];

  beforeAll(async () => {
    cluster = await createCluster({ ...options, nodes: 3, stateRoot, manifests: [MANIFEST] });
    await cluster.wait({ resource: 'deployments', name: 'web', for: 'Available' });
    await cluster.wait({ resource: 'pods', name: 'caller', for: 'Ready' });
    await cluster.wait({ resource: 'services', name: 'web', for: 'address' });
    web = await cluster.get<Service>('services', 'web', 'default');
    nobody = await cluster.get<Service>('services', 'nobody', 'default');
    pods = (await cluster.get<Pod>('pods')).filter((pod) => pod.metadata?.labels?.['app'] === 'web');
    names = pods.map((pod) => pod.metadata?.name ?? '');
    caller = cluster.pod('caller');
  });
  afterAll(() => cluster?.down());

  const hostname = async (place: Place, address: string, port = 80): Promise<string> =>
    (await place.fetch(`http://${inUrl(address)}:${port}/hostname`)).body.trim();
  const nodePort = (service: Service): number => service.spec?.ports?.[0]?.nodePort ?? 0;

  it('a pod reaches the Service by its short name and by its full one', async () => {
    for (const name of ['web', 'web.default', 'web.default.svc.cluster.local']) {
      const { exitCode, stdout, stderr } = await caller.exec([
        'curl',
        '-sS',
        '--max-time',
        '5',
        `http://${name}/hostname`,
      ]);
      expect(stderr).toBe('');
      expect(exitCode).toBe(0);
      expect(names).toContain(stdout.trim());
    }
  });

  it('a pod reaches the ClusterIP of each family', async () => {
    expect(web.spec?.clusterIPs).toHaveLength(2);
    for (const address of web.spec?.clusterIPs ?? []) expect(names).toContain(await hostname(caller, address));
  });

  it('a node reaches the ClusterIP', async () => {
    for (const node of ['node-1', 'node-2', 'node-3'])
      expect(names).toContain(await hostname(cluster.node(node), web.spec?.clusterIP ?? ''));
  });

  it('everybody reaches the NodePort of every node', async () => {
    const { nodes } = await cluster.status();
    for (const place of [caller, cluster.node('node-1'), cluster.outside]) {
      for (const { addresses } of nodes)
        expect(names).toContain(await hostname(place, addresses[0] ?? '', nodePort(web)));
    }
  });

  it('the outside client reaches the load balancer address of each family, but no ClusterIP', async () => {
    const ingress = web.status?.loadBalancer?.ingress ?? [];
    expect(ingress).toHaveLength(2);
    for (const { ip } of ingress) expect(names).toContain(await hostname(cluster.outside, ip ?? ''));
    await expect(cluster.outside.fetch(`http://${web.spec?.clusterIP}/`, { timeoutMs: 1500 })).rejects.toThrow();
  });

  it('a pod sees the address of a pod that calls it, on the same node and on another', async () => {
    const [source = ''] =
      (await cluster.get<Pod>('pods', 'caller', 'default')).status?.podIPs?.map(({ ip }) => ip) ?? [];
    for (const pod of pods) {
      const { body } = await caller.fetch(`http://${pod.status?.podIP}:8080/clientip`);
      expect(body).toContain(source);
    }
  });

  it('a pod reaches itself through its own Service', async () => {
    for (const name of names) {
      const self = cluster.pod(name);
      const answers = await Promise.all(Array.from({ length: 60 }, () => hostname(self, web.spec?.clusterIP ?? '')));
      expect(answers).toContain(name);
    }
  });

  it('a headless Service resolves to its pods', async () => {
    const { stdout } = await caller.exec(['getent', 'ahostsv4', 'web-headless']);
    const found = new Set(stdout.split('\n').flatMap((line) => line.split(' ')[0] || []));
    expect([...found].sort()).toEqual(pods.map((pod) => pod.status?.podIP ?? '').sort());
  });

  it('a Service without endpoints refuses at once, by ClusterIP and by NodePort', async () => {
    const urls = [`http://${nobody.spec?.clusterIP}/`, `http://172.18.0.2:${nodePort(nobody)}/`];
    for (const url of urls) await expect(caller.fetch(url)).rejects.toThrow('ECONNREFUSED');
    await expect(cluster.outside.fetch(urls[1] ?? '')).rejects.toThrow('ECONNREFUSED');
  });

  it('connections spread over the pods, in turn with round-robin', async () => {
    const calls = 30;
    const answers: string[] = [];
    for (let call = 0; call < calls; call++) answers.push(await hostname(caller, web.spec?.clusterIP ?? ''));
    const counts = names.map((name) => answers.filter((answer) => answer === name).length);
    if (options.balancing === 'round-robin') expect(counts).toEqual([10, 10, 10]);
    // That 30 fair throws miss one of three pods happens once in 60,000 runs.
    else expect(Math.min(...counts)).toBeGreaterThan(0);
  });

  it('a pod that leaves is not called any more', async () => {
    await cluster.apply(MANIFEST.replace('replicas: 3', 'replicas: 2'));
    await expect
      .poll(
        async () => (await cluster.get<Pod>('pods')).filter((pod) => pod.metadata?.labels?.['app'] === 'web').length,
        { timeout: 40_000 },
      )
      .toBe(2);
    const left = (await cluster.get<Pod>('pods')).map((pod) => pod.metadata?.name ?? '');
    for (let call = 0; call < 20; call++) expect(left).toContain(await hostname(caller, web.spec?.clusterIP ?? ''));
  });
});
