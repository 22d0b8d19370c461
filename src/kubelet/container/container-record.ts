import type { Clock } from '../../kube/clock.ts';
import type { ContainerState, ContainerStateTerminated, ContainerStatus } from '../../kube/generated/types.ts';
import { timestampOf } from '../../kube/timestamp.ts';
import { ContainerLog } from './container-log.ts';
import type { ContainerExit, RunningContainer } from './container-runtime.ts';
import type { PodContainer } from './pod-containers.ts';
import { RestartBackoff } from './restart-backoff.ts';

interface Run {
  readonly id: string;
  readonly startedAt: number;
  readonly container: RunningContainer;
  /** It shows as waiting until its postStart hook is done. */
  readonly hasHook: boolean;
}

/** What the kubelet remembers of one container of a pod, over all of its runs. */
export class ContainerRecord {
  readonly container: PodContainer;
  readonly backoff = new RestartBackoff();
  /** How often an image could not be had, until when that is shown, and when it is asked for again. */
  pull: { readonly failures: number; readonly shownUntil: number; readonly retryAt: number } = {
    failures: 0,
    shownUntil: 0,
    retryAt: 0,
  };
  waiting: { readonly reason: string; readonly message?: string | undefined };
  /** The startup probe has succeeded, or there is none and it runs. */
  started = false;
  ready = false;
  log: ContainerLog | undefined;
  previousLog: ContainerLog | undefined;
  #run: Run | undefined;
  #terminated: ContainerStateTerminated | undefined;
  #last: ContainerStateTerminated | undefined;
  #finishedAt: number | undefined;
  #restartCount = 0;
  /** Shown as waiting although the last run is known: it is in back-off. */
  #isInBackoff = false;

  constructor(container: PodContainer, waitingReason: string) {
    this.container = container;
    this.waiting = { reason: waitingReason };
  }

  get name(): string {
    return this.container.spec.name;
  }

  get running(): RunningContainer | undefined {
    return this.#run?.container;
  }

  /** Milliseconds since the epoch at which the running program was started. */
  get startedAt(): number | undefined {
    return this.#run?.startedAt;
  }

  /** How the last run ended, unless it runs again. */
  get exitCode(): number | undefined {
    return this.#run === undefined ? this.#terminated?.exitCode : undefined;
  }

  get finishedAt(): number | undefined {
    return this.#finishedAt;
  }

  get restartCount(): number {
    return this.#restartCount;
  }

  /** True once it has run, even if it was in an earlier life of the cluster. */
  get hasRun(): boolean {
    return this.#run !== undefined || this.#terminated !== undefined;
  }

  /** A log for the run that is about to start; that of the run before it becomes the previous one. */
  nextLog(clock: Clock, limitBytes: number): ContainerLog {
    if (this.log !== undefined) this.previousLog = this.log;
    this.log = new ContainerLog(clock, limitBytes);
    return this.log;
  }

  /** Notes that a new run has begun. */
  noteStart(run: Run): void {
    if (this.#terminated !== undefined) {
      this.#last = this.#terminated;
      this.#restartCount++;
    }
    this.#terminated = undefined;
    this.#isInBackoff = false;
    this.#run = run;
  }

  /** Notes that the postStart hook has succeeded. */
  noteHookDone(): void {
    if (this.#run !== undefined) this.#run = { ...this.#run, hasHook: false };
  }

  /** Notes that the run has ended. */
  noteExit(exit: ContainerExit, now: number): void {
    const run = this.#run;
    if (run === undefined) return;
    this.#run = undefined;
    this.started = false;
    this.ready = false;
    this.#finish(
      {
        exitCode: exit.exitCode,
        reason: exit.exitCode === 0 ? 'Completed' : 'Error',
        ...(exit.message ? { message: exit.message } : {}),
        startedAt: timestampOf(run.startedAt),
        finishedAt: timestampOf(now),
        containerID: run.id,
      },
      now,
    );
  }

  /** Notes that a run could not even begin: counts as a run that ended with exit code 128. */
  noteStartFailure(id: string, message: string, now: number): void {
    if (this.#terminated !== undefined) {
      this.#last = this.#terminated;
      this.#restartCount++;
    }
    const at = timestampOf(now);
    this.#finish(
      {
        exitCode: 128,
        reason: 'StartError',
        message,
        startedAt: '1970-01-01T00:00:00Z',
        finishedAt: at,
        containerID: id,
      },
      now,
    );
  }

  /** Notes that the next run has to wait; true when that, or the reason, is news. */
  noteBackoff(reason: string, message: string): boolean {
    const isNews = !this.#isInBackoff || this.waiting.reason !== reason || this.waiting.message !== message;
    this.waiting = { reason, message };
    this.#isInBackoff = true;
    return isNews;
  }

  /** Takes over what an earlier life of the kubelet wrote: what ran then has ended unseen. */
  adopt(status: ContainerStatus, now: number): void {
    this.#restartCount = status.restartCount;
    this.#last = status.lastState?.terminated;
    if (status.state?.terminated) this.#terminated = status.state.terminated;
    else if (status.state?.running) this.#terminated = lostRun(status, now);
    else if (status.lastState?.terminated) this.#terminated = status.lastState.terminated;
    this.#finishedAt = Date.parse(this.#terminated?.finishedAt ?? '') || now;
  }

  /** Forgets the last run as a reason not to run: an init container runs again in a new sandbox. */
  reset(): void {
    if (this.#terminated === undefined) return;
    this.#last = this.#terminated;
    this.#restartCount++;
    this.#terminated = undefined;
    this.waiting = { reason: 'PodInitializing' };
  }

  /** The container's part of the pod's status. */
  status(): ContainerStatus {
    const { spec } = this.container;
    const last = this.#isInBackoff ? this.#terminated : this.#last;
    return {
      name: spec.name,
      ...(last === undefined ? {} : { lastState: { terminated: last } }),
      state: this.#state(),
      ready: this.container.kind === 'init' ? this.exitCode === 0 : this.ready,
      started: this.started,
      restartCount: this.#restartCount,
      image: spec.image ?? '',
      imageID: this.hasRun ? `towtank://${spec.image ?? ''}` : '',
      ...this.#containerID(),
    };
  }

  #state(): ContainerState {
    if (this.#run?.hasHook === false) return { running: { startedAt: timestampOf(this.#run.startedAt) } };
    if (this.#terminated !== undefined && !this.#isInBackoff) return { terminated: this.#terminated };
    return { waiting: this.waiting };
  }

  #containerID(): { readonly containerID?: string } {
    const id = this.#run?.id ?? this.#terminated?.containerID;
    return id === undefined ? {} : { containerID: id };
  }

  #finish(terminated: ContainerStateTerminated, now: number): void {
    this.#terminated = terminated;
    this.#finishedAt = now;
    this.#isInBackoff = false;
    this.log?.close();
  }
}

function lostRun(status: ContainerStatus, now: number): ContainerStateTerminated {
  return {
    exitCode: 137,
    reason: 'ContainerStatusUnknown',
    message: 'The container could not be located when the pod was terminated',
    startedAt: status.state?.running?.startedAt,
    finishedAt: timestampOf(now),
    containerID: status.containerID,
  };
}
