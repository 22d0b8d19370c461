import type { ContainerStatus, Pod, PodStatus } from '../../kube/generated/types.ts';
import { ContainerRecord } from '../container/container-record.ts';
import type { PodSandbox, RunningContainer } from '../container/container-runtime.ts';
import { type ContainerKind, containerFieldPath, podContainers } from '../container/pod-containers.ts';
import { type StartOutcome, startContainer } from '../container/start-container.ts';
import { stopContainer } from '../container/stop-container.ts';
import { ContainerProbes } from '../probe/container-probes.ts';
import { type ProbeTarget, runProbe } from '../probe/run-probe.ts';
import { Deadline } from './deadline.ts';
import type { NodeWorld } from './node-world.ts';

export interface ContainerGroupOptions {
  readonly world: NodeWorld;
  /** The pod as it is now. */
  readonly pod: () => Pod;
  /** A container started, ended, or became ready or unready. */
  readonly onChange: () => void;
  /** A container waits for its postStart hook, which may take its time. */
  readonly onHook: () => void;
  readonly onError: (error: unknown) => void;
}

const DEFAULT_GRACE_SECONDS = 30;

/** The containers of one pod: their records, probes, starts and stops. */
export class ContainerGroup {
  readonly #options: ContainerGroupOptions;
  readonly #records = new Map<string, ContainerRecord>();
  readonly #probes = new Map<ContainerRecord, ContainerProbes>();
  #sandbox: PodSandbox | undefined;
  #hasInitialized = false;

  constructor(options: ContainerGroupOptions) {
    this.#options = options;
    this.addMissing();
  }

  /** Every record, in the order of podContainers. */
  get records(): readonly ContainerRecord[] {
    return [...this.#records.values()];
  }

  get(name: string): ContainerRecord | undefined {
    return this.#records.get(name);
  }

  /** True once a regular container has been started in this life of the kubelet. */
  get hasInitialized(): boolean {
    return this.#hasInitialized;
  }

  /** Takes in containers that the pod got later: ephemeral ones. */
  addMissing(): void {
    const pod = this.#options.pod();
    const hasInit = (pod.spec?.initContainers ?? []).length > 0;
    for (const container of podContainers(pod)) {
      if (this.#records.has(container.spec.name)) continue;
      const waitsForInit = container.kind !== 'ephemeral' && hasInit;
      const record = new ContainerRecord(container, waitsForInit ? 'PodInitializing' : 'ContainerCreating');
      this.#records.set(container.spec.name, record);
    }
  }

  /** Takes over the statuses of an earlier life of the kubelet: what ran has ended, init containers run again. */
  adopt(status: PodStatus): void {
    const now = this.#options.world.clock.now();
    const { initContainerStatuses = [], containerStatuses = [], ephemeralContainerStatuses = [] } = status;
    for (const each of [...initContainerStatuses, ...containerStatuses, ...ephemeralContainerStatuses]) {
      const record = this.#records.get(each.name);
      record?.adopt(each, now);
      if (record?.container.kind === 'init' || record?.container.kind === 'sidecar') record.reset();
    }
  }

  /** Statuses of the containers of these kinds. */
  statuses(...kinds: readonly ContainerKind[]): readonly ContainerStatus[] {
    return this.records.filter(({ container }) => kinds.includes(container.kind)).map((record) => record.status());
  }

  /** Starts a container and watches it from then on; it is probed once its postStart hook is done. */
  async start(record: ContainerRecord, sandbox: PodSandbox, signal: AbortSignal): Promise<StartOutcome> {
    this.#sandbox = sandbox;
    const { world, pod, onHook } = this.#options;
    const onRunning = (running: RunningContainer): void => this.#watch(record, running);
    const outcome = await startContainer(record, { pod: pod(), sandbox, world, signal, onRunning, onHook });
    if (outcome === 'started' && record.running !== undefined) this.#probe(record, record.running);
    return outcome;
  }

  /** Stops all: sidecars last and in reverse order, the others at once. Resolves when all have ended. */
  async stopAll(deadline: Deadline): Promise<void> {
    for (const probes of this.#probes.values()) probes.stopLivenessAndStartup();
    const running = this.records.filter((record) => record.running !== undefined);
    const sidecars = running.filter(({ container }) => container.kind === 'sidecar');
    const others = running.filter(({ container }) => container.kind !== 'sidecar');
    const stop = (record: ContainerRecord) => this.#stop(record, deadline, `Stopping container ${record.name}`);
    await Promise.all(others.map(stop));
    for (const record of sidecars.reverse()) await stop(record);
  }

  #watch(record: ContainerRecord, running: RunningContainer): void {
    const { world, onChange } = this.#options;
    this.#hasInitialized ||= record.container.kind === 'regular';
    void running.exited.then((exit) => {
      this.#probes.get(record)?.[Symbol.dispose]();
      this.#probes.delete(record);
      record.noteExit(exit, world.clock.now());
      onChange();
    });
  }

  #probe(record: ContainerRecord, running: RunningContainer): void {
    const { world, onChange, onError } = this.#options;
    const { spec, kind } = record.container;
    const { startupProbe, livenessProbe, readinessProbe } = spec;
    const target = this.#target(record, running);
    const probes = new ContainerProbes({
      clock: world.clock,
      ...(kind === 'regular' || kind === 'sidecar' ? { startupProbe, livenessProbe, readinessProbe } : {}),
      run: (probe, signal) => runProbe(probe, target, signal),
      onUnhealthy: (message) => this.#warn(record, 'Unhealthy', message),
      onChange: () => {
        this.#takeReadiness(record);
        onChange();
      },
      onMustStop: (probeKind) => void this.#restart(record, probeKind).catch(onError),
    });
    this.#probes.set(record, probes);
    this.#takeReadiness(record);
  }

  #takeReadiness(record: ContainerRecord): void {
    const probes = this.#probes.get(record);
    if (probes === undefined || record.running === undefined) return;
    record.started = probes.started;
    record.ready = probes.ready && record.container.kind !== 'init' && record.container.kind !== 'ephemeral';
  }

  async #restart(record: ContainerRecord, probeKind: 'startup' | 'liveness'): Promise<void> {
    const { world, pod } = this.#options;
    const probe = probeKind === 'startup' ? record.container.spec.startupProbe : record.container.spec.livenessProbe;
    const podGrace = pod().spec?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
    const grace = probe?.terminationGracePeriodSeconds ?? podGrace;
    using deadline = new Deadline(world.clock, world.clock.now() + grace * 1000);
    await this.#stop(record, deadline, `Container ${record.name} failed ${probeKind} probe, will be restarted`);
  }

  async #stop(record: ContainerRecord, deadline: Deadline, message: string): Promise<void> {
    const { world, pod } = this.#options;
    const { running } = record;
    if (running === undefined) return;
    const fieldPath = containerFieldPath(record.container);
    world.recordEvent(pod(), { type: 'Normal', reason: 'Killing', message, fieldPath });
    await stopContainer(record, {
      pod: pod(),
      clock: world.clock,
      deadline,
      target: this.#target(record, running),
      onHookFailure: (why) => this.#warn(record, 'FailedPreStopHook', `PreStopHook failed: ${why}`),
    });
  }

  #target(record: ContainerRecord, running: RunningContainer): ProbeTarget {
    const { dial } = this.#options.world;
    return { container: record.container.spec, running, podIP: this.#sandbox?.podIPs[0] ?? '', dial };
  }

  #warn(record: ContainerRecord, reason: string, message: string): void {
    const { world, pod } = this.#options;
    world.recordEvent(pod(), { type: 'Warning', reason, message, fieldPath: containerFieldPath(record.container) });
  }
}
