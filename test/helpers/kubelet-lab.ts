/**
 * Kubelets on a lab of real namespaces, with the Kubernetes API in memory:
 *
 *   await using lab = await createKubeletLab({ nodes: 1 });
 *   const pod = await lab.run({ image: 'agnhost', args: ['netexec'] });        // bound to node-1, resolves when Ready
 *   await lab.fetch(lab.network.client, pod.status.podIP, 8080, '/hostname');
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import type { NetworkNamespace } from '../../src/kernel/network-namespace.ts';
import { connectTcp, udpSocket } from '../../src/kernel/sockets.ts';
import type { Container, ContainerStatus, Pod, PodSpec } from '../../src/kube/generated/types.ts';
import { SharedInformers } from '../../src/kube/informers.ts';
import { keyOf, resources } from '../../src/kube/resources.ts';
import { Kubelets, type KubeletsOptions } from '../../src/kubelet/kubelets.ts';
import { FakeKubeClient } from './fake-kube-client.ts';
import { createLab, type Lab } from './kernel-lab.ts';
import { text } from './read-text.ts';
import { seededRandom } from './seeded-random.ts';
import { systemClock } from './system-clock.ts';

export interface KubeletLabOptions extends Partial<Pick<KubeletsOptions, 'issueToken' | 'images' | 'dns'>> {
  readonly nodes?: number;
  readonly maxPods?: number;
}

export interface PodRequest extends Partial<Container> {
  readonly podName?: string;
  readonly namespace?: string;
  readonly node?: string;
  readonly spec?: Partial<PodSpec>;
  readonly metadata?: Pod['metadata'];
}

/** Builds the network, the API and one kubelet per node. */
export async function createKubeletLab(options: KubeletLabOptions = {}): Promise<KubeletLab> {
  const network = await createLab({ nodes: options.nodes ?? 1, podsPerNode: 0 });
  const lab = new KubeletLab(network, options);
  for (const node of network.nodes)
    await lab.kubelets.start({ network: node.network, maxPods: options.maxPods ?? 110 });
  return lab;
}

export class KubeletLab implements AsyncDisposable {
  readonly network: Lab;
  readonly client = new FakeKubeClient(systemClock);
  readonly informers: SharedInformers;
  readonly kubelets: Kubelets;
  readonly stateDir = mkdtempSync(join(tmpdir(), 'towtank-kubelet-'));
  readonly errors: unknown[] = [];
  #names = 0;

  constructor(network: Lab, options: KubeletLabOptions) {
    this.network = network;
    this.informers = new SharedInformers(this.client, systemClock);
    this.kubelets = new Kubelets({
      client: this.client,
      informers: this.informers,
      clock: systemClock,
      random: seededRandom(),
      stateDir: this.stateDir,
      dns: options.dns ?? { clusterDNS: ['10.96.0.10'], clusterDomain: 'cluster.local', hostResolvConf: '' },
      issueToken: options.issueToken ?? (async () => ({ token: 'token' })),
      images: options.images ?? [],
      kubeletVersion: 'v1.33.1',
      containerRuntimeVersion: 'towtank://test',
      onError: (error) => this.errors.push(error),
    });
  }

  /** Creates a pod of one container on a node and returns it at once. */
  async create({ podName, namespace = 'default', node, spec, metadata, ...container }: PodRequest): Promise<Pod> {
    const main: Container = { name: 'main', image: 'agnhost', ...container };
    return this.client.create(resources.pods, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: podName ?? `pod-${++this.#names}`, namespace, ...metadata },
      spec: { containers: [main], nodeName: node ?? 'node-1', ...spec },
    });
  }

  /** Creates a pod and waits until it is Ready. */
  async run(options: PodRequest): Promise<Pod> {
    return this.until(await this.create(options), isReady);
  }

  /** Waits until the pod as the API has it meets `condition`. */
  async until(pod: Pod, condition: (pod: Pod) => boolean): Promise<Pod> {
    const key = keyOf(pod);
    const found = await this.#watch(key, (current) => current !== undefined && condition(current));
    return found!;
  }

  /** Waits until the pod is gone from the API. */
  async untilGone(pod: Pod): Promise<void> {
    await this.#watch(keyOf(pod), (current) => current === undefined);
  }

  /** Waits until no pod is attached to any node's network. */
  async untilDetached(): Promise<void> {
    while (this.network.nodes.some(({ network }) => network.pods.size > 0)) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async delete(pod: Pod, gracePeriodSeconds?: number): Promise<void> {
    const { name = '', namespace } = pod.metadata ?? {};
    await this.client.delete(
      resources.pods,
      { name, namespace },
      gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds },
    );
  }

  /** Sends an HTTP request from a namespace. */
  fetch(
    from: NetworkNamespace,
    to: {
      readonly host: string;
      readonly port: number;
      readonly path?: string;
      readonly headers?: Record<string, string>;
    },
  ): Promise<{ readonly status: number; readonly body: string }> {
    return new Promise((resolve, reject) => {
      const socket = connectTcp(from, to);
      const headers = { ...to.headers, connection: 'close' };
      const sent = request({ path: to.path ?? '/', headers, createConnection: () => socket }, async (response) => {
        resolve({ status: response.statusCode ?? 0, body: await text(response) });
      });
      sent.once('error', reject).end();
    });
  }

  /** Sends a datagram from a namespace and resolves with the answer. */
  async askUdp(
    from: NetworkNamespace,
    { host, port, payload }: { readonly host: string; readonly port: number; readonly payload: string },
  ): Promise<string> {
    const socket = await udpSocket(from, { family: host.includes(':') ? 'ipv6' : 'ipv4' });
    try {
      return await new Promise((resolve, reject) => {
        socket.once('message', (data) => resolve(data.toString())).once('error', reject);
        socket.connect(port, host, () => socket.send(payload));
      });
    } finally {
      socket.close();
    }
  }

  /** Runs a command in the pod's only container and collects what it prints. */
  async exec(
    pod: Pod,
    command: readonly string[],
    options: { readonly input?: string; readonly tty?: boolean; readonly container?: string } = {},
  ): Promise<{ readonly exitCode: number; readonly stdout: string; readonly stderr: string }> {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const outputs = Promise.all([text(stdout), text(stderr)]);
    const { exitCode } = await this.kubelets.exec(pod, options.container ?? 'main', {
      command,
      ...(options.input === undefined ? {} : { stdin: Readable.from([Buffer.from(options.input)]) }),
      stdout,
      stderr,
      tty: options.tty ?? false,
      signal: new AbortController().signal,
    });
    stdout.end();
    stderr.end();
    const [out, err] = await outputs;
    return { exitCode, stdout: out, stderr: err };
  }

  async logs(pod: Pod, options: Parameters<Kubelets['logs']>[2] = {}, container = 'main'): Promise<string> {
    return text(await this.kubelets.logs(pod, container, options));
  }

  /** The log once it has so many lines. */
  async follow(pod: Pod, lines: number, container = 'main'): Promise<string> {
    await this.until(pod, ({ status }) => hasStarted(status?.containerStatuses, container));
    let log = '';
    for await (const chunk of await this.kubelets.logs(pod, container, { follow: true })) {
      log += chunk;
      if (log.split('\n').length > lines) break;
    }
    return log;
  }

  /** Waits for an event of the pod: its whole `Reason message`, or a pattern of it. */
  async untilEvent(pod: Pod, expected: string | RegExp): Promise<void> {
    const matches = (event: string): boolean =>
      typeof expected === 'string' ? event === expected : expected.test(event);
    while (!this.events(pod).some(matches)) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  /** Events of a pod so far, as `Reason message`. */
  events(pod: Pod): readonly string[] {
    return this.client
      .all(resources.events)
      .filter(({ involvedObject }) => involvedObject.uid === pod.metadata?.uid)
      .map(({ reason, message }) => `${reason} ${message}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kubelets[Symbol.asyncDispose]();
    this.informers[Symbol.dispose]();
    await this.network[Symbol.asyncDispose]();
    rmSync(this.stateDir, { recursive: true, force: true });
    if (this.errors.length > 0) throw new AggregateError(this.errors, 'the kubelets reported errors');
  }

  #watch(key: string, condition: (pod: Pod | undefined) => boolean): Promise<Pod | undefined> {
    return new Promise((resolve) => {
      const initial = this.client.peek(resources.pods, key);
      if (condition(initial)) return resolve(initial);
      const watch = this.client.watch(
        resources.pods,
        { resourceVersion: '0' },
        ({ object }) => {
          if (keyOf(object) !== key) return;
          const current = this.client.peek(resources.pods, key);
          if (!condition(current)) return;
          watch.close();
          resolve(current);
        },
        () => {},
      );
    });
  }
}

function hasStarted(statuses: readonly ContainerStatus[] = [], container: string): boolean {
  return statuses.some(({ name, containerID }) => name === container && containerID !== undefined);
}

/** True when the pod's Ready condition is True. */
export function isReady({ status }: Pod): boolean {
  return status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false;
}
