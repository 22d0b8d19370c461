import type { Clock } from '../../kube/clock.ts';
import type { Pod } from '../../kube/generated/types.ts';
import type { Deadline } from '../pod/deadline.ts';
import type { ProbeTarget } from '../probe/run-probe.ts';
import type { ContainerRecord } from './container-record.ts';
import { runHook } from './run-hook.ts';

export interface StopOptions {
  readonly pod: Pod;
  readonly clock: Clock;
  /** When the grace period ends; it may be advanced while the container stops. */
  readonly deadline: Deadline;
  /** Undefined when nothing runs that a hook could speak to. */
  readonly target: ProbeTarget;
  readonly onHookFailure: (message: string) => void;
}

// Even when the hook has used up the grace period, a program gets this long after SIGTERM.
const LEAST_GRACE_MS = 2_000;

/** Stops a running container as the kubelet does: preStop hook, SIGTERM (or its stopSignal), grace, SIGKILL. Resolves when it has ended. */
export async function stopContainer(record: ContainerRecord, options: StopOptions): Promise<void> {
  const { running } = record;
  if (running === undefined) return;
  const { clock, deadline } = options;
  const { lifecycle } = record.container.spec;
  const exited = running.exited.then(() => undefined);
  const hasGrace = deadline.at > clock.now();
  if (lifecycle?.preStop && hasGrace) await Promise.race([preStop(record, options), exited]);
  if (hasGrace) {
    running.kill((lifecycle?.stopSignal as NodeJS.Signals | undefined) ?? 'SIGTERM');
    const grace = graceEnd(options, lifecycle?.preStop !== undefined);
    const isOver = await Promise.race([exited.then(() => true), grace.then(() => false)]);
    if (isOver) return;
  }
  running.kill('SIGKILL');
  await exited;
}

async function graceEnd({ deadline, clock }: StopOptions, hadHook: boolean): Promise<void> {
  if (!hadHook || deadline.at - clock.now() >= LEAST_GRACE_MS) return deadline.passed;
  return new Promise((resolve) => void clock.schedule(LEAST_GRACE_MS, resolve));
}

async function preStop(
  record: ContainerRecord,
  { clock, deadline, target, onHookFailure }: StopOptions,
): Promise<void> {
  const handler = record.container.spec.lifecycle?.preStop;
  if (handler === undefined) return;
  const abort = new AbortController();
  void deadline.passed.then(() => abort.abort());
  try {
    await runHook(handler, target, { clock, signal: abort.signal });
  } catch (error) {
    onHookFailure((error as Error).message);
  }
}
