import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, createCluster } from '../../../src/index.ts';
import type { DaemonSet, Pod } from '../../../src/kube/generated/types.ts';
import { runTowtank } from '../../helpers/run-towtank.ts';

const MANIFEST = `
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {clusterIP: 10.96.7.7, ipFamilyPolicy: SingleStack, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: shell}
spec: {containers: [{name: shell, image: busybox}]}
`;
const WEB = 'web.default.svc.cluster.local.';
const LINK_LOCAL = '169.254.20.10';
const KUBE_DNS = '10.96.0.10';
const hits = 'coredns_cache_hits_total{server="dns://169.254.20.10:53",type="success",view="",zones="cluster.local."}';

const stateRoot = mkdtempSync(join(tmpdir(), 'tt-'));
afterAll(() => rmSync(stateRoot, { recursive: true, force: true }));

describe.each([
  { proxyMode: 'iptables', cni: 'ptp' },
  { proxyMode: 'nftables', cni: 'bridge' },
  { proxyMode: 'userspace', cni: 'ptp' },
] as const)('NodeLocal DNSCache with $proxyMode, pods by $cni', (options) => {
  let cluster: Cluster;
  let node: string;

  beforeAll(async () => {
    const spec = { dns: { nodeLocalDNS: true } };
    cluster = await createCluster({ ...options, nodes: 1, spec, stateRoot, manifests: [MANIFEST] });
    await cluster.wait({ resource: 'pods', name: 'shell', for: 'Ready' });
    node = (await cluster.get<Pod>('pods', 'shell', 'default')).spec!.nodeName!;
  });
  afterAll(() => cluster?.down());

  const shell = async (...command: readonly string[]): Promise<string> =>
    (await cluster.pod('shell').exec(command)).stdout;
  const onNode = async (...command: readonly string[]): Promise<string> =>
    (await cluster.node(node).exec(command)).stdout;
  // A reply without programs that a machine may lack.
  const resolve = async (server: string): Promise<string> =>
    shell('sh', '-c', `printf 'nameserver ${server}\\n' > /etc/resolv.conf; getent ahostsv4 ${WEB}`);
  const cacheHits = async (): Promise<number> => {
    const { body } = await cluster.node(node).fetch('http://127.0.0.1:9253/metrics');
    const line = body.split('\n').find((text) => text.startsWith(hits));
    return line === undefined ? 0 : Number(line.slice(hits.length));
  };
  const tracked = async (address: string): Promise<number> =>
    (await onNode('conntrack', '-L', '-d', address)).split('\n').filter((line) => line.includes('dport=53')).length;

  it('is what pods ask, and why their answers are so is told as ever', async () => {
    expect(await shell('cat', '/etc/resolv.conf')).toContain(
      `nameserver ${LINK_LOCAL}\nnameserver fd00:169:254:20::10\noptions ndots:5\n`,
    );
    const words = ['dns', 'query', 'web', '--from', 'shell', '--name', cluster.name, '-o', 'json'];
    const { stdout } = runTowtank(words, { TOWTANK_STATE_DIR: stateRoot });
    expect(JSON.parse(stdout).steps).toEqual([
      expect.objectContaining({
        ...{ name: WEB, server: LINK_LOCAL, outcome: 'ANSWER' },
        why: 'Service default/web: its cluster IP, which kube-proxy turns into one of 0 ready endpoint(s)',
      }),
    ]);
  });

  it('answers in both families from its cache, and leaves no trace in connection tracking', async () => {
    const before = await cacheHits();
    for (const server of [LINK_LOCAL, 'fd00:169:254:20::10']) expect(await resolve(server)).toContain('10.96.7.7');
    expect(await cacheHits()).toBeGreaterThan(before);
    // On a busy machine the cache may be restarted by its probe: only its packets meanwhile are tracked.
    const trace = async (): Promise<number> => {
      await onNode('conntrack', '-F');
      expect(await resolve(LINK_LOCAL)).toContain('10.96.7.7');
      return tracked(LINK_LOCAL);
    };
    await expect.poll(trace).toBe(0);
    // The Service is still there, past the cache, and its DNAT is tracked.
    expect(await resolve(KUBE_DNS)).toContain('10.96.7.7');
    if (options.proxyMode !== 'userspace') expect(await tracked(KUBE_DNS)).toBe(1);
  });

  it('takes the address of kube-dns as well where its arguments say so, and gives it back', async () => {
    const { spec } = await cluster.get<DaemonSet>('daemonsets', 'node-local-dns', 'kube-system');
    const apply = (args: readonly string[], bind: string): Promise<unknown> => {
      const metadata = { name: 'node-local-dns', namespace: 'kube-system' };
      const container = { ...spec!.template.spec!.containers[0], args };
      const template = { ...spec!.template, spec: { ...spec!.template.spec, containers: [container] } };
      const set = { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata, spec: { ...spec, template } };
      const corefile = `cluster.local {\n cache 30\n bind ${bind}\n forward . __PILLAR__CLUSTER__DNS__\n prometheus :9253\n health ${LINK_LOCAL}:8080\n}\n`;
      const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { Corefile: corefile } };
      return cluster.apply(`${JSON.stringify(map)}\n---\n${JSON.stringify(set)}`);
    };
    const addresses = async (): Promise<string> => onNode('ip', '-4', '-o', 'address', 'show', 'nodelocaldns');
    const both = ['-localip', `${LINK_LOCAL},${KUBE_DNS}`, '-upstreamsvc', 'kube-dns-upstream'];
    await apply(both, `${LINK_LOCAL} ${KUBE_DNS}`);
    await expect.poll(addresses, { timeout: 30_000 }).toContain(`${KUBE_DNS}/32`);
    await cluster.wait({ resource: 'daemonsets', name: 'node-local-dns', namespace: 'kube-system', for: 'Available' });
    await onNode('conntrack', '-F');
    await expect.poll(() => resolve(KUBE_DNS), { timeout: 30_000 }).toContain('10.96.7.7');
    expect(await tracked(KUBE_DNS)).toBe(0);
    await cluster.delete('daemonsets', 'node-local-dns', 'kube-system');
    await expect.poll(addresses, { timeout: 30_000 }).toBe('');
    expect(await onNode('nft', 'list', 'tables')).not.toContain('nodelocaldns');
    await expect.poll(() => resolve(KUBE_DNS), { timeout: 30_000 }).toContain('10.96.7.7');
  });
});
