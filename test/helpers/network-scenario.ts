import { mkdtempSync, rmSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type Cluster, type CreateClusterOptions, createCluster, type Place } from '../../src/index.ts';
import type { Node, Pod, Service } from '../../src/kube/generated/types.ts';
import { ApiRequests } from './api-request.ts';

/** The proxies that every behaviour of Services must be the same with. */
export const PROXY_MODES = ['iptables', 'nftables', 'userspace'] as const;

export const inUrl = (address: string): string => (isIPv6(address) ? `[${address}]` : address);

/** The pods of `createWeb` that answer. */
export const WEB_PODS = ['web-1', 'web-2', 'web-3'] as const;

interface WebScenario {
  readonly lab: NetworkScenario;
  readonly caller: Place;
  readonly pods: readonly Pod[];
}

interface PodOptions {
  readonly labels?: Readonly<Record<string, string>>;
  readonly node?: string;
  readonly spec?: Readonly<Record<string, unknown>>;
}

/** The node port of a Service's first port; 0 where it has none. */
export const nodePortOf = (service: Service): number => service.spec?.ports?.[0]?.nodePort ?? 0;

/** A cluster of three nodes and what tests of its network do with it, through the public API and with real packets. */
export class NetworkScenario implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly api: ApiRequests;
  readonly #stateRoot: string;

  private constructor(cluster: Cluster, stateRoot: string) {
    this.cluster = cluster;
    this.api = new ApiRequests(cluster.kubeconfig);
    this.#stateRoot = stateRoot;
  }

  static async create(options: CreateClusterOptions = {}): Promise<NetworkScenario> {
    const stateRoot = mkdtempSync(join(tmpdir(), 'tt-'));
    return new NetworkScenario(await createCluster({ nodes: 3, ...options, stateRoot }), stateRoot);
  }

  /** With a pod `caller`, and a pod on each node that answers behind the label `app: web`. */
  static async createWeb(proxyMode: (typeof PROXY_MODES)[number]): Promise<WebScenario> {
    const lab = await NetworkScenario.create({ proxyMode });
    await lab.netexec(['caller'], 'caller');
    const pods = await lab.netexec(WEB_PODS, 'web');
    return { lab, pods, caller: lab.cluster.pod('caller') };
  }

  /** Applies objects given as data. */
  async apply(...objects: readonly object[]): Promise<void> {
    await this.cluster.apply(objects.map((object) => JSON.stringify(object)).join('\n---\n'));
  }

  /** Applies a Service of namespace default and reads back what it became. */
  async service(name: string, spec: object, labels: Readonly<Record<string, string>> = {}): Promise<Service> {
    await this.apply({ apiVersion: 'v1', kind: 'Service', metadata: { name, labels }, spec });
    await this.cluster.settled();
    return this.cluster.get<Service>('services', name, 'default');
  }

  /** Runs `agnhost netexec` pods (HTTP on 8080, UDP on 8081), labelled with their app, and waits until they are Ready. */
  async netexec(names: readonly string[], app: string, options: PodOptions = {}): Promise<readonly Pod[]> {
    const objects = names.map((name, i) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, labels: { app, ...options.labels } },
      spec: {
        nodeName: options.node ?? `node-${(i % 3) + 1}`,
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'main', image: 'agnhost', args: ['netexec'] }],
        ...options.spec,
      },
    }));
    await this.apply(...objects);
    for (const name of names) await this.cluster.wait({ resource: 'pods', name, for: 'Ready' });
    return Promise.all(names.map((name) => this.cluster.get<Pod>('pods', name, 'default')));
  }

  /** What answers `/hostname` there. */
  async hostname(from: Place, address: string, port = 80): Promise<string> {
    return (await from.fetch(`http://${inUrl(address)}:${port}/hostname`)).body.trim();
  }

  /** The names that answer so many new connections: that 60 fair throws miss one of three happens once in ten billion runs. */
  async answers(from: Place, address: string, port = 80, count = 60): Promise<readonly string[]> {
    return Promise.all(Array.from({ length: count }, () => this.hostname(from, address, port)));
  }

  /** Who answers there, each once. */
  async answering(from: Place, address: string, port = 80): Promise<readonly string[]> {
    return [...new Set(await this.answers(from, address, port))].sort();
  }

  /** The datagram that comes back from there, asked by a program at that place; empty when none comes in two seconds. */
  async askUdp(from: Place, address: string, port: number, sourcePort = 0): Promise<string> {
    const script = `
      const socket = require('dgram').createSocket('udp${isIPv6(address) ? 6 : 4}');
      const done = (text) => { process.stdout.write(text); process.exit(0); };
      socket.on('error', (error) => done(error.code)).on('message', (data) => done(String(data)));
      setTimeout(() => done(''), 2000);
      socket.bind(${sourcePort}, () => socket.connect(${port}, '${address}', () => socket.send('hostname')));`;
    const { stdout, stderr } = await from.exec([process.execPath, '-e', script]);
    expect(stderr).toBe('');
    return stdout.trim();
  }

  /** Every address of every node. */
  async nodeAddresses(): Promise<readonly string[]> {
    const nodes = await this.cluster.get<Node>('nodes');
    return nodes.flatMap(({ status }) =>
      (status?.addresses ?? []).flatMap(({ type, address }) => (type.endsWith('IP') ? [address] : [])),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.api[Symbol.dispose]();
    await this.cluster.down();
    rmSync(this.#stateRoot, { recursive: true, force: true });
  }
}
