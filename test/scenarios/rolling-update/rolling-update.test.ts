import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Cluster, createCluster, type Place } from '../../../src/index.ts';
import type { Pod, Service } from '../../../src/kube/generated/types.ts';

const web = (generation: number): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, annotations: {generation: "${generation}"}}
    spec:
      containers:
      - name: web
        image: agnhost
        args: [netexec, --http-port=8080, --delay-shutdown=15]
        readinessProbe: {httpGet: {path: /readyz, port: 8080}, periodSeconds: 1}
`;
const REST = `
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80, targetPort: 8080, nodePort: 30080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: caller}
spec: {containers: [{name: shell, image: busybox}]}
`;

const stateRoot = mkdtempSync(join(tmpdir(), 'tt-'));
afterAll(() => rmSync(stateRoot, { recursive: true, force: true }));

interface Target {
  readonly place: Place;
  readonly url: string;
}

/** New connections to every target, without pause, until it is told to stop: what did not come back as it should. */
function load(targets: readonly Target[]): {
  stop(): Promise<{ readonly count: number; readonly failures: string[] }>;
} {
  let running = true;
  let count = 0;
  const failures: string[] = [];
  const senders = targets.map(async ({ place, url }) => {
    for (; running; count++) {
      const answer = await place.fetch(url, { timeoutMs: 20_000 }).catch((error: Error) => error);
      if (answer instanceof Error) failures.push(`${url}: ${answer.message}`);
      else if (answer.status !== 200) failures.push(`${url}: ${answer.status}`);
    }
  });
  return {
    stop: async () => {
      running = false;
      await Promise.all(senders);
      return { count, failures };
    },
  };
}

async function targetsOf(cluster: Cluster): Promise<readonly [Target, ...Target[]]> {
  const { spec, status } = await cluster.get<Service>('services', 'web', 'default');
  const [address] = status?.loadBalancer?.ingress ?? [];
  return [
    { place: cluster.pod('caller'), url: `http://${spec?.clusterIP}/hostname` },
    { place: cluster.outside, url: 'http://172.18.0.2:30080/hostname' },
    { place: cluster.outside, url: `http://${address?.ip}/hostname` },
  ];
}

describe.each(['iptables', 'nftables'] as const)('a rolling update in %s mode', (proxyMode) => {
  it('fails no new connection, and ends none that is under way', async () => {
    await using cluster = await createCluster({ nodes: 2, proxyMode, stateRoot });
    await cluster.apply(`${web(1)}---${REST}`);
    await cluster.wait({ resource: 'deployments', name: 'web', for: 'Available' });
    await cluster.wait({ resource: 'pods', name: 'caller', for: 'Ready' });
    await cluster.wait({ resource: 'services', name: 'web', for: 'address' });
    const targets = await targetsOf(cluster);
    const [inside] = targets;
    const podNames = async (): Promise<Set<string>> => {
      const answers = await Promise.all(Array.from({ length: 12 }, () => inside.place.fetch(inside.url)));
      return new Set(answers.map(({ body }) => body));
    };
    const pods = (await cluster.get<Pod>('pods')).filter(({ metadata }) => metadata?.labels?.['app'] === 'web');
    const before = new Set(pods.map(({ metadata }) => metadata?.name ?? ''));
    const traffic = load(targets);
    // Each takes longer than its pod stays in the Service once new ones are ready.
    const slow = targets.map(({ place, url }) =>
      place.fetch(url.replace('/hostname', '/shell?cmd=sleep%202%3B%20hostname'), { timeoutMs: 20_000 }),
    );
    // By the time that these are answered, the slow ones are under way.
    await podNames();
    await cluster.apply(web(2));
    await expect
      .poll(async () => [...(await podNames())].every((name) => !before.has(name)), { timeout: 40_000, interval: 50 })
      .toBe(true);
    for (const { status, body } of await Promise.all(slow)) {
      expect(status).toBe(200);
      expect([...before].some((name) => body.includes(name))).toBe(true);
    }
    const { count, failures } = await traffic.stop();
    expect(failures).toEqual([]);
    expect(count).toBeGreaterThan(50);
  });
});
