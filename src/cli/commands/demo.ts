import { type Cluster, createCluster } from '../../cluster/cluster.ts';
import type { ConfigOverrides } from '../../cluster/config/parse-cluster-config.ts';
import { chooseTier, type Tier } from '../../cluster/tiers.ts';
import type { Pod, Service } from '../../kube/generated/types.ts';
import { StepLine } from '../print/step-line.ts';
import { styled } from '../print/style.ts';
import { printTable } from '../print/table.ts';
import { buildPaths, type DemoFacts, type DemoPath, tryPath } from './demo-paths.ts';

const REPLICAS = 4;
const CALLS = 200;

/** What the demo deploys: a Deployment behind a Service of every kind of address, and a pod that calls it. */
export const DEMO_MANIFEST = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: ${REPLICAS}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: registry.k8s.io/e2e-test-images/agnhost:2.53
        args: [netexec, --http-port=8080]
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: LoadBalancer
  ipFamilyPolicy: PreferDualStack
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: v1
kind: Service
metadata: {name: nobody}
spec:
  selector: {app: nobody}
  ports: [{port: 80}]
---
apiVersion: v1
kind: Pod
metadata: {name: caller}
spec:
  containers: [{name: shell, image: busybox}]
`;

const madeOf: Readonly<Record<Tier, string>> = {
  full: 'real namespaces, rules and packets',
  flat: 'real rules and packets in one namespace',
  loopback: 'real packets on 127.0.0.0/8, without any privilege',
};

/** The flags of the demo. */
export type DemoOptions = Pick<ConfigOverrides, 'proxyMode' | 'balancing' | 'nodes'> & { readonly tier?: Tier };

/** Builds a cluster, tries every path through it, and takes it down. Exit code 0 only if each path did what it should. */
export async function demo(overrides: DemoOptions): Promise<number> {
  const startedAt = performance.now();
  const progress = new StepLine(process.stderr, false);
  const say = (text = ''): void => void process.stdout.write(`${text}\n`);
  const tier = overrides.tier ?? (await chooseTier());
  say(`${styled('bold', 'towtank demo')}: a Kubernetes network of ${madeOf[tier]}\n`);
  const cluster = await createCluster({
    ...overrides,
    tier,
    name: `demo-${process.pid}`,
    onStep: (name, ms) => progress.step(name, ms),
  });
  let failures = 0;
  try {
    progress.done();
    const { nodes, loopback } = await cluster.status();
    say(
      `${tick()} ${nodes.length} nodes, control plane, cluster DNS and ${nodes[0]?.proxyMode} proxies after ${seconds(startedAt)}`,
    );
    await cluster.apply(DEMO_MANIFEST);
    await Promise.all([
      cluster.wait({ resource: 'deployments', name: 'web', for: 'Available' }),
      cluster.wait({ resource: 'pods', name: 'caller', for: 'Ready' }),
    ]);
    await cluster.wait({ resource: 'services', name: 'web', for: 'address' });
    say(`${tick()} ${REPLICAS} web pods behind a Service after ${seconds(startedAt)}\n`);
    const facts = await readFacts(cluster);
    say(describe(facts));
    for (const path of buildPaths(facts, nodes, loopback)) failures += await show(cluster, path, say);
    failures += await showSpread(cluster, facts, say);
    for (const limit of loopback?.limits ?? []) say(`\n${limit}`);
  } finally {
    const before = performance.now();
    await cluster.down();
    say(
      `\n${tick()} taken down in ${Math.round(performance.now() - before)} ms; the whole demo took ${seconds(startedAt)}`,
    );
  }
  if (failures > 0) say(`\n${styled('red', `${failures} of the paths did not do what they should`)}`);
  return failures === 0 ? 0 : 1;
}

async function readFacts(cluster: Cluster): Promise<DemoFacts> {
  const pods = await cluster.get<Pod>('pods');
  return {
    web: await cluster.get<Service>('services', 'web', 'default'),
    nobody: await cluster.get<Service>('services', 'nobody', 'default'),
    caller: await cluster.get<Pod>('pods', 'caller', 'default'),
    pods: pods.filter((pod) => pod.metadata?.labels?.['app'] === 'web'),
  };
}

function describe({ web, caller, pods }: DemoFacts): string {
  const rows = [...pods, caller].map((pod) => [
    pod.metadata?.name ?? '',
    pod.spec?.nodeName ?? '',
    (pod.status?.podIPs ?? []).map(({ ip }) => ip).join(', '),
  ]);
  const [port] = web.spec?.ports ?? [];
  const balancer = web.status?.loadBalancer?.ingress?.map(({ ip }) => ip).join(', ');
  return `${printTable(['POD', 'NODE', 'ADDRESSES'], rows)}

Service ${styled('bold', 'web')}: ClusterIP ${web.spec?.clusterIPs?.join(', ')}; NodePort ${port?.nodePort}; load balancer ${balancer}\n`;
}

async function show(cluster: Cluster, path: DemoPath, say: (text: string) => void): Promise<number> {
  const outcome = await tryPath(cluster, path);
  say(`${outcome.ok ? tick() : cross()} ${path.title}`);
  say(styled('dim', `    ${path.where}$ ${'url' in path ? `(fetch) ${path.url}` : path.command.join(' ')}`));
  say(`    ${outcome.ok ? outcome.text : styled('red', outcome.text)}`);
  return outcome.ok ? 0 : 1;
}

async function showSpread(cluster: Cluster, { web, pods }: DemoFacts, say: (text: string) => void): Promise<number> {
  const counts = new Map(pods.map((pod) => [pod.metadata?.name ?? '', 0]));
  const url = `http://${web.spec?.clusterIP}/hostname`;
  for (let call = 0; call < CALLS; call++) {
    const { body } = await cluster.pod('caller').fetch(url);
    counts.set(body.trim(), (counts.get(body.trim()) ?? 0) + 1);
  }
  const most = Math.max(...counts.values());
  say(`\nHow ${CALLS} calls of ${url} spread over the pods:`);
  for (const [name, count] of counts)
    say(`  ${name}  ${styled('cyan', '█'.repeat(Math.round((30 * count) / most)))} ${count}`);
  const all = [...counts.values()];
  return counts.size === pods.length && all.every((count) => count > 0) ? 0 : 1;
}

const tick = (): string => styled('green', '✓');
const cross = (): string => styled('red', '✗');
const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(2)} s`;
