import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { CoreV1Api, DiscoveryV1Api, KubeConfig } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, createCluster, type Place } from '../../../src/index.ts';
import type { EndpointSlice, Service } from '../../../src/kube/generated/types.ts';
import { COREDNS, CoreDnsPeer, WITHOUT_COREDNS } from '../../helpers/coredns-peer.ts';
import { buildQuery } from '../../helpers/dns-chain.ts';
import { askUdp } from '../../helpers/dns-client.ts';
import { KUBE_PROXY } from '../../helpers/kube-proxy-peer.ts';

// More by hand: TOWTANK_CHURN=20000 takes more than a minute.
const CHANGES = Number(process.env['TOWTANK_CHURN'] ?? 1000);
const NAMES = 40;
const PENDING = { timeout: 60_000, interval: 200 };
/** What client-go and what is made with it print when something went wrong, a first line of klog or of CoreDNS. */
const COMPLAINT = /^(?:E\d{4} .*|\[(?:ERROR|WARNING|FATAL)\].*)$/gm;

const namespace = 'default';
const serviceBody = (name: string, port: number) => ({
  metadata: { name },
  spec: { selector: { app: name }, ports: [{ name: 'http', port, targetPort: 8080 }] },
});

/** Creates, changes and deletes Services and EndpointSlices, and leaves `churn-last`. */
async function churn(cluster: Cluster): Promise<Service> {
  const config = new KubeConfig();
  config.loadFromFile(cluster.kubeconfig);
  const core = config.makeApiClient(CoreV1Api);
  const discovery = config.makeApiClient(DiscoveryV1Api);
  const { items } = await core.listNamespacedService({ namespace });
  const alive = new Set(items.map(({ metadata }) => metadata!.name!));
  await cluster.delete('services', 'churn-last', namespace).catch(notThere);
  for (let i = 0; i < CHANGES; i++) {
    const name = `churn-${(i * 7) % NAMES}`;
    if (!alive.has(name)) {
      await core.createNamespacedService({ namespace, body: serviceBody(name, 80) });
      const labels = { 'kubernetes.io/service-name': name };
      await discovery.createNamespacedEndpointSlice({
        namespace,
        body: {
          metadata: { name: `${name}-own`, labels },
          addressType: 'IPv4',
          endpoints: [{ addresses: [`10.244.9.${1 + (i % 200)}`], conditions: { ready: true } }],
          ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
        },
      });
      alive.add(name);
    } else if (i % 3 === 0) {
      await core.deleteNamespacedService({ namespace, name });
      await discovery.deleteNamespacedEndpointSlice({ namespace, name: `${name}-own` });
      alive.delete(name);
    } else {
      const live = await core.readNamespacedService({ namespace, name });
      await core.replaceNamespacedService({
        namespace,
        name,
        body: { ...live, spec: { ...live.spec!, ports: [{ name: 'http', port: 80 + (i % 900), targetPort: 8080 }] } },
      });
    }
  }
  await core.createNamespacedService({ namespace, body: serviceBody('churn-last', 80) });
  return cluster.get<Service>('services', 'churn-last', namespace);
}

describe.skipIf((COREDNS ?? KUBE_PROXY) === undefined)(
  'a program made with client-go that follows the API server of towtank up',
  () => {
    let cluster: Cluster;
    let folder: string;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'towtank-client-go-'));
      cluster = await createCluster({ nodes: 1, proxyMode: 'nftables', stateRoot: folder });
    });
    afterAll(async () => {
      await cluster?.down();
      if (folder) rmSync(folder, { recursive: true, force: true });
    });

    it.skipIf(COREDNS === undefined)(
      `CoreDNS has its informers in step and nothing to complain of [${WITHOUT_COREDNS}]`,
      { timeout: 600_000 },
      async () => {
        await using peer = await CoreDnsPeer.start(`kubernetes cluster.local {\n kubeconfig ${cluster.kubeconfig}\n}`);
        const last = await churn(cluster);
        const address = last.spec!.clusterIP!.split('.').map(Number);
        const question = buildQuery('churn-last.default.svc.cluster.local.', 'A');
        const answer = async (): Promise<string> =>
          (await askUdp(question, { port: peer.port, timeout: 5000 }))?.toString('hex') ?? '';
        await expect.poll(answer, PENDING).toContain(Buffer.from(address).toString('hex'));
        expect(peer.log.match(COMPLAINT)).toBeNull();
      },
    );

    it.skipIf(KUBE_PROXY === undefined)(
      'kube-proxy has its informers in step and nothing to complain of [needs KUBE_PROXY=path of its binary]',
      { timeout: 600_000 },
      async () => {
        const node = cluster.node('node-1');
        const proxy = await startInNode(node, await kubeconfigInside(cluster, folder));
        const last = await churn(cluster);
        const rules = async (): Promise<string> => (await node.exec(['iptables-save'])).stdout;
        await expect.poll(rules, PENDING).toContain(last.spec!.clusterIP!);
        expect(await rules()).toContain('default/churn-last:http');
        expect((await node.exec(['kill', proxy.pid()])).exitCode).toBe(0);
        await proxy.ended;
        expect(proxy.log().match(COMPLAINT)).toBeNull();
      },
    );
  },
);

// The second program finds what the first has left, or nothing.
function notThere(error: unknown): void {
  if (!String(error).includes('not found')) throw error;
}

/** The administrator's kubeconfig with the address at which nodes reach the API server. */
async function kubeconfigInside(cluster: Cluster, folder: string): Promise<string> {
  const slice = await cluster.get<EndpointSlice>('endpointslices', 'kubernetes', namespace);
  const host = slice.endpoints![0]!.addresses[0]!;
  const text = readFileSync(cluster.kubeconfig, 'utf8').replace(cluster.apiServer, `https://${host}:6443`);
  const path = join(folder, 'kubeconfig-inside');
  writeFileSync(path, text);
  return path;
}

interface StartedProxy {
  readonly pid: () => string;
  readonly ended: Promise<number>;
  readonly log: () => string;
}

// Beside the node's own proxy, which uses nftables and has the usual ports.
async function startInNode(node: Place, config: string): Promise<StartedProxy> {
  let log = '';
  let pid = '';
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  stdout.on('data', (chunk: Buffer) => (pid += chunk.toString()));
  stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const command = [
    'sh',
    '-c',
    'echo $$; exec "$@"',
    'sh',
    KUBE_PROXY!,
    `--kubeconfig=${config}`,
    '--hostname-override=node-1',
    '--proxy-mode=iptables',
    '--conntrack-max-per-core=0',
    '--conntrack-tcp-timeout-established=0',
    '--conntrack-tcp-timeout-close-wait=0',
    '--healthz-bind-address=127.0.0.1:20256',
    '--metrics-bind-address=127.0.0.1:20249',
  ];
  const ended = node.stream(command, { stdin: undefined, stdout, stderr });
  await expect.poll(() => log, PENDING).toContain('Caches are synced');
  return { pid: () => pid.trim(), ended, log: () => log };
}
