import { type ApiServer, createApiServer } from '../../src/apiserver/api-server.ts';
import type { ControllersConfig } from '../../src/controllers/config.ts';
import { createServiceAllocator } from '../../src/controllers/service-allocator/service-allocator.ts';
import { startControllers } from '../../src/controllers/start-controllers.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import type { Clock } from '../../src/kube/clock.ts';
import type { Pod } from '../../src/kube/generated/types.ts';
import { SharedInformers } from '../../src/kube/informers.ts';
import { type KubeObject, type ResourceType, resources } from '../../src/kube/resources.ts';
import { isReason } from '../../src/kube/status.ts';
import { microTimestampOf, timestampOf } from '../../src/kube/timestamp.ts';
import { startScheduler } from '../../src/scheduler/start-scheduler.ts';
import { MemoryStore } from '../../src/store/memory-store.ts';

/** The time of this machine. */
export const realClock: Clock = {
  now: () => Date.now(),
  schedule: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};

export interface RealControlPlaneOptions {
  readonly nodes?: number;
  /** Whether a pod becomes ready by itself; default yes. */
  readonly ready?: (pod: Pod) => boolean;
}

/** The real API server, controllers and scheduler in this process; only kubelets are played. */
export class RealControlPlane implements AsyncDisposable {
  readonly server: ApiServer;
  readonly client: KubeClient;
  readonly informers: SharedInformers;
  readonly failures: unknown[] = [];
  readonly #stop: AsyncDisposable[] = [];
  readonly #ready: (pod: Pod) => boolean;
  #lastIP = 1;

  private constructor(server: ApiServer, ready: (pod: Pod) => boolean) {
    this.server = server;
    this.client = server.client('test');
    this.informers = new SharedInformers(server.client('informers'), realClock);
    this.#ready = ready;
  }

  /** Resolves when controllers and scheduler run and the nodes are there. */
  static async start({ nodes = 3, ready = () => true }: RealControlPlaneOptions = {}): Promise<RealControlPlane> {
    const serviceCIDRs = ['10.96.0.0/16', 'fd00:10:96::/112'];
    const store = new MemoryStore({ clock: realClock });
    const allocator = createServiceAllocator({ serviceCIDRs });
    const server = await createApiServer({ store, clock: realClock, random: Math.random, allocator });
    const plane = new RealControlPlane(server, ready);
    await plane.#startParts({
      serviceCIDRs,
      podCIDRs: ['10.244.0.0/16', 'fd00:10:244::/56'],
      loadBalancerCIDRs: ['172.18.255.0/24', 'fc00:f853:ccd:e793:ffff::/112'],
      apiServer: ['172.18.0.1', 'fc00:f853:ccd:e793::1'],
      caCertificate: 'PEM',
      servedKinds: {
        list: () => server.registry.all().map(({ type }) => type),
        onChange: (listener) => server.registry.onChange(listener),
      },
    });
    for (let i = 1; i <= nodes; i++) await plane.addNode(`node-${i}`);
    return plane;
  }

  /** Registers a node as its kubelet would. */
  async addNode(name: string, labels: Readonly<Record<string, string>> = {}): Promise<void> {
    const now = timestampOf(realClock.now());
    const allocatable = { cpu: '4', memory: '8Gi', pods: '110' };
    const ready = { type: 'Ready', status: 'True', lastHeartbeatTime: now, lastTransitionTime: now };
    const metadata = { name, labels: { 'kubernetes.io/hostname': name, ...labels } };
    const status = { allocatable, capacity: allocatable, conditions: [ready] };
    const node = await this.client.create(resources.nodes, { metadata, status });
    const lease = {
      metadata: {
        name,
        namespace: 'kube-node-lease',
        ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name, uid: node.metadata!.uid! }],
      },
      spec: { holderIdentity: name, renewTime: microTimestampOf(realClock.now()) },
    };
    await this.client.create(resources.leases, lease);
  }

  /** Resolves with the cached objects of a kind as soon as they satisfy the test. */
  until<T extends KubeObject>(
    type: ResourceType<T>,
    holds: (objects: readonly T[]) => boolean,
    ms = 5000,
  ): Promise<readonly T[]> {
    const informer = this.informers.for(type);
    void informer.start();
    const { promise, resolve, reject } = Promise.withResolvers<readonly T[]>();
    const timer = setTimeout(() => reject(new Error(`not so in time: ${describe(informer.list())}`)), ms);
    const check = (): void => {
      if (!holds(informer.list())) return;
      clearTimeout(timer);
      resolve(informer.list());
    };
    informer.onChange(check);
    void informer.start().then(check);
    return promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const part of this.#stop.reverse()) await part[Symbol.asyncDispose]();
    this.informers[Symbol.dispose]();
    await this.server.close();
  }

  async #startParts(config: ControllersConfig): Promise<void> {
    const common = { informers: this.informers, clock: realClock, random: Math.random };
    const fail = (failure: { readonly key: string; readonly error: unknown }): void => void this.failures.push(failure);
    this.informers.for(resources.pods).onChange(({ current }) => void this.#playKubelet(current));
    this.#stop.push(
      await startControllers({
        ...common,
        client: this.server.client('kube-controller-manager'),
        config,
        onError: fail,
      }),
      await startScheduler({ ...common, client: this.server.client('kube-scheduler'), onError: fail }),
    );
  }

  // A pod with a node starts at once, and ends at once when it is deleted.
  async #playKubelet(pod: Pod | undefined): Promise<void> {
    if (pod === undefined || !pod.spec?.nodeName) return;
    const { namespace, name = '', uid, deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata ?? {};
    try {
      if (deletionTimestamp !== undefined) {
        if (deletionGracePeriodSeconds === 0) return;
        await this.client.delete(resources.pods, { namespace, name }, { uid, gracePeriodSeconds: 0 });
      } else if (pod.status?.podIP === undefined) {
        const index = ++this.#lastIP;
        const podIPs = [{ ip: `10.244.${index >> 8}.${index & 255}` }, { ip: `fd00:10:244::${index.toString(16)}` }];
        const lastTransitionTime = timestampOf(realClock.now());
        const conditions = ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => ({
          type,
          status: this.#ready(pod) || type === 'PodScheduled' ? 'True' : 'False',
          lastTransitionTime,
        }));
        const body = { metadata: { uid }, status: { phase: 'Running', podIP: podIPs[0]!.ip, podIPs, conditions } };
        await this.client.patch(
          resources.pods,
          { namespace, name },
          { type: 'merge', body },
          { subresource: 'status' },
        );
      }
    } catch (error) {
      if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) this.failures.push(error);
    }
  }
}

// Without managedFields, which would hide the rest.
function describe(objects: readonly KubeObject[]): string {
  return JSON.stringify(objects.map(({ metadata, ...rest }) => ({ name: metadata?.name, ...rest }))).slice(0, 3000);
}
