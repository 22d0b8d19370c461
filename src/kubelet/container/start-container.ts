import type { Pod } from '../../kube/generated/types.ts';
import { buildEnvironment, ContainerConfigError } from '../environment/build-environment.ts';
import { type NodeWorld, newContainerID } from '../pod/node-world.ts';
import type { ProbeTarget } from '../probe/run-probe.ts';
import type { ContainerRecord } from './container-record.ts';
import { ContainerStartError, type PodSandbox, type RunningContainer } from './container-runtime.ts';
import { ImageError, type LaunchPlan, planLaunch } from './launch-plan.ts';
import { containerFieldPath } from './pod-containers.ts';
import { printPause } from './restart-backoff.ts';
import { runHook } from './run-hook.ts';

export interface StartOptions {
  readonly pod: Pod;
  readonly sandbox: PodSandbox;
  readonly world: NodeWorld;
  /** Aborted when the pod is to stop: a hook that still runs is given up. */
  readonly signal: AbortSignal;
  /** Told as soon as the program runs, before its postStart hook. */
  readonly onRunning: (running: RunningContainer) => void;
  /** Told before a postStart hook runs. */
  readonly onHook: () => void;
}

/**
 * What came of an attempt: `started`; `failed` counts as a run that ended; `blocked` waits for an object of the API to
 * change; a time (milliseconds since the epoch) says when to try again.
 */
export type StartOutcome = 'started' | 'failed' | 'blocked' | { readonly retryAt: number };

const PULL_ERROR_SHOWN_MS = 2_000;
const FIRST_PULL_PAUSE_MS = 10_000;
const MAX_PULL_PAUSE_MS = 300_000;

/** Starts a container: image, environment, program, postStart hook, with the kubelet's events and waiting reasons. */
export async function startContainer(record: ContainerRecord, options: StartOptions): Promise<StartOutcome> {
  const { world } = options;
  const due = backoffEnd(record, options);
  if (due !== undefined) return { retryAt: due };
  const env = tryEnvironment(record, options);
  if (env === undefined) return 'blocked';
  const plan = tryPlan(record, env, options);
  if ('retryAt' in plan) return plan;
  noteRestart(record, world.clock.now());
  record.pull = { failures: 0, shownUntil: 0, retryAt: 0 };
  report(record, options, 'Pulled', `Container image "${record.container.spec.image}" already present on machine`);
  return run(record, { ...options, env, plan });
}

function report(
  record: ContainerRecord,
  { world, pod }: StartOptions,
  reason: string,
  message: string,
  type: 'Normal' | 'Warning' = 'Normal',
): void {
  world.recordEvent(pod, { type, reason, message, fieldPath: containerFieldPath(record.container) });
}

function backoffEnd(record: ContainerRecord, options: StartOptions): number | undefined {
  const { world, pod } = options;
  const now = world.clock.now();
  if (record.finishedAt === undefined || record.exitCode === undefined) return undefined;
  const pause = record.backoff.pauseAfter(record.finishedAt);
  if (record.finishedAt + pause <= now) return undefined;
  const { name, namespace, uid } = pod.metadata ?? {};
  const where = `pod=${name}_${namespace}(${uid})`;
  const message = `back-off ${printPause(pause)} restarting failed container=${record.name} ${where}`;
  if (record.noteBackoff('CrashLoopBackOff', message)) {
    const who = `failed container ${record.name} in pod ${name}_${namespace}(${uid})`;
    report(record, options, 'BackOff', `Back-off restarting ${who}`, 'Warning');
  }
  return record.finishedAt + pause;
}

function noteRestart(record: ContainerRecord, now: number): void {
  if (record.finishedAt !== undefined && record.exitCode !== undefined) record.backoff.restart(record.finishedAt, now);
}

function tryEnvironment(record: ContainerRecord, options: StartOptions): Readonly<Record<string, string>> | undefined {
  const { pod, world, sandbox } = options;
  try {
    const facts = { podIPs: sandbox.podIPs, hostIPs: world.hostIPs };
    const { objects, resources: node } = world;
    return buildEnvironment({ pod, container: record.container.spec, facts, node, objects });
  } catch (error) {
    if (!(error instanceof ContainerConfigError)) throw error;
    const isNews = record.noteBackoff('CreateContainerConfigError', error.message);
    if (isNews) report(record, options, 'Failed', `Error: ${error.message}`, 'Warning');
    return undefined;
  }
}

function tryPlan(
  record: ContainerRecord,
  env: Readonly<Record<string, string>>,
  options: StartOptions,
): LaunchPlan | { readonly retryAt: number } {
  try {
    return planLaunch(record.container.spec, options.world.images, env);
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    return { retryAt: noteMissingImage(record, error, options) };
  }
}

// The kubelet shows the failed pull itself for a moment, then that it backs off, and tries again at the end of the pause.
function noteMissingImage(record: ContainerRecord, error: ImageError, options: StartOptions): number {
  const now = options.world.clock.now();
  const { failures, shownUntil, retryAt } = record.pull;
  if (now < shownUntil) return shownUntil;
  if (now < retryAt) {
    notePullBackoff(record, error, options);
    return retryAt;
  }
  const { image } = record.container.spec;
  const warn = (reason: string, message: string): void => report(record, options, reason, message, 'Warning');
  if (error.reason === 'ErrImagePull') warn('Failed', `Failed to pull image "${image}": ${error.message}`);
  else warn(error.reason === 'InvalidImageName' ? 'InspectFailed' : error.reason, error.message);
  warn('Failed', `Error: ${error.reason}`);
  record.noteBackoff(error.reason, error.message);
  const pause = Math.min(FIRST_PULL_PAUSE_MS * 2 ** failures, MAX_PULL_PAUSE_MS);
  const shown = error.reason === 'ErrImagePull' ? PULL_ERROR_SHOWN_MS : pause;
  record.pull = { failures: failures + 1, shownUntil: now + shown, retryAt: now + pause };
  return now + shown;
}

function notePullBackoff(record: ContainerRecord, error: ImageError, options: StartOptions): void {
  const message = `Back-off pulling image "${record.container.spec.image}"`;
  if (!record.noteBackoff('ImagePullBackOff', `${message}: ErrImagePull: ${error.message}`)) return;
  report(record, options, 'BackOff', message);
  report(record, options, 'Failed', 'Error: ImagePullBackOff', 'Warning');
}

async function run(
  record: ContainerRecord,
  options: StartOptions & { readonly env: Readonly<Record<string, string>>; readonly plan: LaunchPlan },
): Promise<StartOutcome> {
  const { world, sandbox, env, plan } = options;
  const id = newContainerID(world.random);
  const log = record.nextLog(world.clock, world.logLimitBytes);
  report(record, options, 'Created', `Created container: ${record.name}`);
  try {
    const running = await sandbox.start({ container: record.container, plan, env, log });
    const hasHook = record.container.spec.lifecycle?.postStart !== undefined;
    record.noteStart({ id, startedAt: world.clock.now(), container: running, hasHook });
    report(record, options, 'Started', `Started container ${record.name}`);
    options.onRunning(running);
  } catch (error) {
    if (!(error instanceof ContainerStartError)) throw error;
    report(record, options, 'Failed', `Error: ${error.message}`, 'Warning');
    record.noteStartFailure(id, error.message, world.clock.now());
    return 'failed';
  }
  return postStart(record, options);
}

async function postStart(record: ContainerRecord, options: StartOptions): Promise<StartOutcome> {
  const { world, sandbox, signal } = options;
  const handler = record.container.spec.lifecycle?.postStart;
  const { running } = record;
  if (handler === undefined || running === undefined) return 'started';
  const target: ProbeTarget = {
    container: record.container.spec,
    running,
    podIP: sandbox.podIPs[0] ?? '',
    dial: world.dial,
  };
  options.onHook();
  try {
    await runHook(handler, target, { clock: world.clock, signal });
    record.noteHookDone();
    return 'started';
  } catch (error) {
    report(record, options, 'FailedPostStartHook', `PostStartHook failed: ${(error as Error).message}`, 'Warning');
    report(record, options, 'Killing', 'FailedPostStartHook');
    running.kill('SIGKILL');
    await running.exited;
    return 'failed';
  }
}
