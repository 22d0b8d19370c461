import type { KubeClient } from '../../src/kube/client.ts';
import type { Container, ContainerStatus, Lease, Node, Pod } from '../../src/kube/generated/types.ts';
import { Informer } from '../../src/kube/informer.ts';
import { resources } from '../../src/kube/resources.ts';
import { isReason } from '../../src/kube/status.ts';
import { systemClock } from './system-clock.ts';

const HEARTBEAT_MS = 10_000;
const time = (): string => `${new Date().toISOString().slice(0, 19)}Z`;

/** Nodes whose pods run at once, without a process: addresses 10.244.N.M, gone when they are deleted. */
export class HollowKubelets implements Disposable {
  readonly #client: KubeClient;
  readonly #pods: Informer<Pod>;
  readonly #nodes: readonly string[];
  readonly #addresses = new Map<string, string>();
  #last = 1;
  #timer: Disposable | undefined;

  constructor(client: KubeClient, nodes: readonly string[]) {
    this.#client = client;
    this.#nodes = nodes;
    this.#pods = new Informer(client, systemClock, resources.pods);
    this.#pods.onChange(({ current }) => {
      if (current?.spec?.nodeName) void this.#sync(current).catch(ignoreGone);
    });
  }

  /** Registers the nodes, with their leases, and starts to run pods. */
  async start(): Promise<void> {
    for (const [i, name] of this.#nodes.entries()) {
      await this.#client.create(resources.nodes, hollowNode(name, i + 1));
      await this.#client.create(resources.leases, hollowLease(name));
    }
    await this.#pods.start();
    this.#heartbeat();
  }

  #heartbeat(): void {
    this.#timer = systemClock.schedule(HEARTBEAT_MS, () => {
      for (const name of this.#nodes) {
        const { spec } = hollowLease(name);
        const key = { name, namespace: 'kube-node-lease' };
        void this.#client.patch(resources.leases, key, { type: 'merge', body: { spec } }).catch(ignoreGone);
      }
      this.#heartbeat();
    });
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#pods[Symbol.dispose]();
  }

  async #sync(pod: Pod): Promise<void> {
    const { name = '', namespace, uid = '', deletionTimestamp } = pod.metadata ?? {};
    if (deletionTimestamp !== undefined) {
      await this.#client.delete(resources.pods, { name, namespace }, { gracePeriodSeconds: 0, uid });
      return;
    }
    const started = pod.status?.containerStatuses !== undefined;
    const ephemeral = pod.spec?.ephemeralContainers?.length ?? 0;
    if (started && (pod.status?.ephemeralContainerStatuses?.length ?? 0) === ephemeral) return;
    await this.#client.update(
      resources.pods,
      { ...pod, status: this.#status(pod) },
      { subresource: 'status', fieldManager: 'kubelet' },
    );
  }

  #status(pod: Pod): NonNullable<Pod['status']> {
    const uid = pod.metadata?.uid ?? '';
    const node = this.#nodes.indexOf(pod.spec?.nodeName ?? '') + 1;
    const ip = this.#addresses.get(uid) ?? `10.244.${node}.${++this.#last}`;
    this.#addresses.set(uid, ip);
    const done = pod.spec?.restartPolicy === 'Never' && pod.spec.containers.some(({ args }) => args?.[0] === 'echo');
    const condition = (type: string, met: boolean) => ({
      type,
      status: met ? 'True' : 'False',
      lastTransitionTime: time(),
    });
    const running = (container: Container): ContainerStatus => ({
      name: container.name,
      image: container.image ?? '',
      imageID: `hollow://${container.image}`,
      ready: !done,
      restartCount: 0,
      started: !done,
      state: done
        ? { terminated: { exitCode: 0, reason: 'Completed', finishedAt: time() } }
        : { running: { startedAt: time() } },
    });
    return {
      ...pod.status,
      phase: done ? 'Succeeded' : 'Running',
      startTime: time(),
      podIP: ip,
      podIPs: [{ ip }],
      hostIP: `192.168.0.${node}`,
      conditions: [
        ...(pod.status?.conditions ?? []).filter(({ type }) => type === 'PodScheduled'),
        condition('Initialized', true),
        condition('ContainersReady', !done),
        condition('Ready', !done),
      ],
      containerStatuses: (pod.spec?.containers ?? []).map(running),
      ...(pod.spec?.ephemeralContainers
        ? { ephemeralContainerStatuses: pod.spec.ephemeralContainers.map(running) }
        : {}),
    };
  }
}

function hollowLease(name: string): Lease {
  const renewTime = new Date().toISOString().replace('Z', '000Z');
  return {
    metadata: { name, namespace: 'kube-node-lease' },
    spec: { holderIdentity: name, leaseDurationSeconds: 40, renewTime },
  };
}

function hollowNode(name: string, number: number): Node {
  const capacity = { cpu: '8', memory: '16Gi', pods: '110' };
  return {
    metadata: { name, labels: { 'kubernetes.io/hostname': name } },
    spec: { podCIDR: `10.244.${number}.0/24`, podCIDRs: [`10.244.${number}.0/24`] },
    status: {
      capacity,
      allocatable: capacity,
      addresses: [
        { type: 'InternalIP', address: `192.168.0.${number}` },
        { type: 'Hostname', address: name },
      ],
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          reason: 'KubeletReady',
          lastHeartbeatTime: time(),
          lastTransitionTime: time(),
        },
      ],
      nodeInfo: {
        architecture: 'amd64',
        bootID: '',
        containerRuntimeVersion: 'hollow://1',
        kernelVersion: '6.0',
        kubeProxyVersion: '',
        kubeletVersion: 'v1.36.0',
        machineID: '',
        operatingSystem: 'linux',
        osImage: 'hollow',
        systemUUID: '',
      },
    },
  };
}

// The pod went away or changed in between: its next change is told as well.
function ignoreGone(error: unknown): void {
  if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) throw error;
}
