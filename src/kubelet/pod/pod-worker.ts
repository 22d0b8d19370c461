import { isDeepStrictEqual } from 'node:util';
import type { Pod, PodStatus } from '../../kube/generated/types.ts';
import { timestampOf } from '../../kube/timestamp.ts';
import type { ContainerRecord } from '../container/container-record.ts';
import type { PodSandbox } from '../container/container-runtime.ts';
import type { StartOutcome } from '../container/start-container.ts';
import { VolumeError, volumeFiles } from '../files/volume-files.ts';
import { buildPodStatus } from './build-pod-status.ts';
import { ContainerGroup } from './container-group.ts';
import { Deadline } from './deadline.ts';
import { decideContainers } from './decide-containers.ts';
import type { NodeWorld } from './node-world.ts';

export interface PodWorkerCallbacks {
  /** The pod's status has changed; `status` tells it. */
  readonly onStatus: () => void;
  /** The pod was deleted and nothing of it is left; its last status was told before. */
  readonly onStopped: () => void;
  /** A failure that no state of the API explains. */
  readonly onError: (error: unknown) => void;
}

const DEFAULT_GRACE_SECONDS = 30;
const REMOVED_GRACE_SECONDS = 1;
const SANDBOX_RETRY_MS = 1_000;

/** Runs one pod from its binding to its end: makes its sandbox, then starts, restarts and stops its containers. */
export class PodWorker {
  readonly #world: NodeWorld;
  readonly #callbacks: PodWorkerCallbacks;
  readonly #containers: ContainerGroup;
  readonly #stopping = new AbortController();
  readonly #startTime: string;
  /** It had ended before this kubelet saw it: what its status says is all there is to say. */
  readonly #wasOver: boolean;
  #pod: Pod;
  #sandbox: PodSandbox | undefined;
  #podIPs: readonly string[];
  #failure: { readonly reason: string; readonly message: string } | undefined;
  #status: PodStatus;
  #volumeFailure: string | undefined;
  #sync: Promise<void> | undefined;
  #isDirty = false;
  #wake: { readonly at: number; readonly timer: Disposable } | undefined;
  #lifetime: Disposable | undefined;
  #deadline: Deadline | undefined;
  #ending: Promise<void> | undefined;
  #isDeleted = false;

  constructor(pod: Pod, world: NodeWorld, callbacks: PodWorkerCallbacks) {
    this.#pod = pod;
    this.#world = world;
    this.#callbacks = callbacks;
    this.#status = pod.status ?? {};
    this.#startTime = pod.status?.startTime ?? timestampOf(world.clock.now());
    this.#podIPs = (pod.status?.podIPs ?? []).map(({ ip }) => ip);
    this.#containers = new ContainerGroup({
      world,
      pod: () => this.#pod,
      onChange: () => this.#trigger(),
      onHook: () => this.#publish(),
      onError: callbacks.onError,
    });
    this.#wasOver = this.#isOver;
    this.#containers.adopt(this.#status);
    this.#watchLifetime();
  }

  get pod(): Pod {
    return this.#pod;
  }

  /** The status as it was last told. */
  get status(): PodStatus {
    return this.#status;
  }

  get sandbox(): PodSandbox | undefined {
    return this.#sandbox;
  }

  container(name: string): ContainerRecord | undefined {
    return this.#containers.get(name);
  }

  /** Takes in the pod as the API has it now; the first call starts it. */
  update(pod: Pod): void {
    this.#pod = pod;
    if (pod.metadata?.deletionTimestamp !== undefined) {
      this.#delete(pod.metadata.deletionGracePeriodSeconds ?? this.#graceSeconds);
      return;
    }
    this.#containers.addMissing();
    this.#trigger();
  }

  /** The pod is gone from the API: what still runs gets `graceSeconds`. */
  remove(graceSeconds = REMOVED_GRACE_SECONDS): void {
    this.#delete(graceSeconds);
  }

  /** Resolves when nothing of a deleted or finished pod is left; undefined while it is meant to run. */
  get ended(): Promise<void> | undefined {
    return this.#ending;
  }

  /** A ConfigMap, Secret or Service that the pod may use has changed. */
  objectsChanged(): void {
    this.#trigger();
    void this.#sandbox?.refreshVolumes(this.#pod).catch(this.#callbacks.onError);
  }

  get #graceSeconds(): number {
    return this.#pod.spec?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
  }

  get #isOver(): boolean {
    const { phase } = this.#status;
    return this.#ending !== undefined || phase === 'Succeeded' || phase === 'Failed';
  }

  #trigger(): void {
    this.#isDirty = true;
    this.#sync ??= this.#synchronise().catch(this.#callbacks.onError);
  }

  async #synchronise(): Promise<void> {
    // What changes in one turn of the event loop is looked at once.
    await undefined;
    try {
      while (this.#isDirty) {
        this.#isDirty = false;
        if (!this.#isOver) await this.#step();
        this.#publish();
      }
    } finally {
      this.#sync = undefined;
    }
  }

  async #step(): Promise<void> {
    const sandbox = this.#sandbox ?? (await this.#createSandbox());
    if (sandbox === undefined) return;
    const { hasInitialized, records } = this.#containers;
    const { start, progress } = decideContainers(this.#pod, records, hasInitialized);
    if (progress === 'finished') return void this.#end(this.#graceSeconds);
    for (const record of start) {
      if (this.#stopping.signal.aborted) return;
      this.#follow(await this.#containers.start(record, sandbox, this.#stopping.signal));
    }
    // Regular containers may start in the same turn in which the last init container turned out to be done.
    if (progress === 'initializing' && this.#containers.hasInitialized !== hasInitialized) this.#isDirty = true;
  }

  #follow(outcome: StartOutcome): void {
    if (outcome === 'started' || outcome === 'failed') this.#isDirty = true;
    else if (outcome !== 'blocked') this.#wakeAt(outcome.retryAt);
  }

  #wakeAt(at: number): void {
    if (this.#wake !== undefined && this.#wake.at <= at) return;
    this.#wake?.timer[Symbol.dispose]();
    const timer = this.#world.clock.schedule(Math.max(0, at - this.#world.clock.now()), () => {
      this.#wake = undefined;
      this.#trigger();
    });
    this.#wake = { at, timer };
  }

  async #createSandbox(): Promise<PodSandbox | undefined> {
    if (!this.#hasVolumes()) return undefined;
    const { runtime, clock, recordEvent, turn } = this.#world;
    await turn();
    if (this.#isOver) return undefined;
    try {
      this.#sandbox = await runtime.createSandbox(this.#pod);
      this.#podIPs = this.#sandbox.podIPs;
      return this.#sandbox;
    } catch (error) {
      const message = `Failed to create pod sandbox: ${(error as Error).message}`;
      recordEvent(this.#pod, { type: 'Warning', reason: 'FailedCreatePodSandBox', message });
      this.#wakeAt(clock.now() + SANDBOX_RETRY_MS);
      return undefined;
    }
  }

  // Volumes are looked at before anything is made, as the kubelet does; their files are written when a program needs them.
  #hasVolumes(): boolean {
    const { objects, resources: node, hostIPs, recordEvent } = this.#world;
    const facts = { podIPs: this.#podIPs, hostIPs };
    for (const volume of this.#pod.spec?.volumes ?? []) {
      try {
        volumeFiles(volume, { pod: this.#pod, facts, node, objects });
      } catch (error) {
        if (!(error instanceof VolumeError)) throw error;
        const message = `MountVolume.SetUp failed for volume "${volume.name}" : ${error.message}`;
        if (message !== this.#volumeFailure)
          recordEvent(this.#pod, { type: 'Warning', reason: 'FailedMount', message });
        this.#volumeFailure = message;
        return false;
      }
    }
    return true;
  }

  #watchLifetime(): void {
    const { activeDeadlineSeconds } = this.#pod.spec ?? {};
    if (activeDeadlineSeconds === undefined) return;
    const { clock, recordEvent } = this.#world;
    const left = Date.parse(this.#startTime) + activeDeadlineSeconds * 1000 - clock.now();
    this.#lifetime = clock.schedule(Math.max(0, left), () => {
      if (this.#isOver) return;
      const message = 'Pod was active on the node longer than the specified deadline';
      this.#failure = { reason: 'DeadlineExceeded', message };
      recordEvent(this.#pod, { type: 'Normal', reason: 'DeadlineExceeded', message });
      void this.#end(this.#graceSeconds);
    });
  }

  #delete(graceSeconds: number): void {
    const ended = this.#end(graceSeconds);
    if (this.#isDeleted) return;
    this.#isDeleted = true;
    void ended.then(() => this.#callbacks.onStopped());
  }

  #end(graceSeconds: number): Promise<void> {
    const at = this.#world.clock.now() + graceSeconds * 1000;
    this.#deadline?.advance(at);
    this.#deadline ??= new Deadline(this.#world.clock, at);
    this.#ending ??= this.#shutDown(this.#deadline).catch(this.#callbacks.onError);
    return this.#ending;
  }

  async #shutDown(deadline: Deadline): Promise<void> {
    this.#stopping.abort();
    this.#wake?.timer[Symbol.dispose]();
    this.#lifetime?.[Symbol.dispose]();
    await this.#sync;
    this.#publish();
    await this.#containers.stopAll(deadline);
    deadline[Symbol.dispose]();
    await this.#sandbox?.remove();
    this.#sandbox = undefined;
    this.#publish();
  }

  #publish(): void {
    if (this.#wasOver) return;
    const { hostIPs, clock } = this.#world;
    const containers = this.#containers;
    const observation = {
      pod: this.#pod,
      initContainerStatuses: containers.statuses('init', 'sidecar'),
      containerStatuses: containers.statuses('regular'),
      ephemeralContainerStatuses: containers.statuses('ephemeral'),
      podIPs: this.#podIPs,
      hostIPs,
      hasSandbox: this.#sandbox !== undefined,
      hasInitialized: containers.hasInitialized,
      isTerminal: this.#ending !== undefined,
      startTime: this.#startTime,
      failure: this.#failure,
    };
    const status = buildPodStatus(observation, this.#status, timestampOf(clock.now()));
    if (isDeepStrictEqual(status, this.#status)) return;
    this.#status = status;
    this.#callbacks.onStatus();
  }
}
