import type { Clock } from '../../kube/clock.ts';
import type { LifecycleHandler } from '../../kube/generated/types.ts';
import { probeHttp } from '../probe/http-probe.ts';
import { probePort } from '../probe/probe-port.ts';
import { collect, type ProbeTarget } from '../probe/run-probe.ts';

/**
 * Runs a postStart or preStop handler to its end; rejects with the reason that the kubelet's FailedPostStartHook and
 * FailedPreStopHook events give. An aborted `signal` ends it early.
 */
export async function runHook(
  handler: LifecycleHandler,
  target: ProbeTarget,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  if (handler.exec) return runCommand(handler.exec.command ?? [], target, signal);
  if (handler.httpGet) return get(handler.httpGet, target, signal);
  if (handler.sleep) return pause(clock, handler.sleep.seconds * 1000, signal);
  throw new Error(`invalid handler: ${JSON.stringify(handler)}`);
}

async function runCommand(command: readonly string[], { running }: ProbeTarget, signal: AbortSignal): Promise<void> {
  const output = collect();
  const { exitCode } = await running.exec({
    command,
    stdout: output.stream,
    stderr: output.stream,
    tty: false,
    signal,
  });
  if (exitCode === 0) return;
  throw new Error(`command '${command.join(' ')}' exited with ${exitCode}: ${output.text()}`);
}

async function get(
  action: NonNullable<LifecycleHandler['httpGet']>,
  { container, podIP, dial }: ProbeTarget,
  signal: AbortSignal,
): Promise<void> {
  const port = probePort(action.port, container);
  if (port === undefined) throw new Error(`couldn't find port: ${action.port}`);
  const outcome = await probeHttp({ action, host: podIP, port, dial, signal });
  if (outcome.result !== 'success') throw new Error(outcome.message);
}

function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.schedule(ms, resolve);
    signal.addEventListener('abort', () => {
      timer[Symbol.dispose]();
      resolve();
    });
  });
}
