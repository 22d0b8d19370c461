import { readFileSync } from 'node:fs';
import { TowtankError } from '../errors/towtank-error.ts';
import type { SandboxProcess } from '../kernel/sandbox.ts';
import { fromWire } from './control/frames.ts';
import type { StartSocket } from './start-socket.ts';

const START_TIMEOUT_MS = 120_000;

export interface WaitOptions {
  /** File of what the supervisor says. */
  readonly log: string;
  readonly onStep?: ((name: string, ms: number) => void) | undefined;
  /** Ends the waiting. */
  readonly signal?: AbortSignal | undefined;
}

/** Waits for the ready message; whatever ends the sandbox before it is the reason of failure. Rejects with ERR_CLUSTER_START. */
export async function waitUntilReady(
  start: StartSocket,
  sandbox: Pick<SandboxProcess, 'exited'>,
  { log, onStep, signal }: WaitOptions,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(
    () => reject(startFailure(log, `was not ready after ${START_TIMEOUT_MS / 1000} s`)),
    START_TIMEOUT_MS,
  );
  // Its last words say more than its end, which may be seen first.
  void sandbox.exited.then(() => start.drained()).then(() => reject(startFailure(log, 'ended before it was ready')));
  start.onMessage((message) => {
    if (message.type === 'step') onStep?.(message.name, message.ms);
    else if (message.type === 'ready') resolve();
    else reject(fromWire(message.error));
  });
  const interrupt = (): void => reject(interrupted());
  signal?.addEventListener('abort', interrupt);
  if (signal?.aborted === true) interrupt();
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', interrupt);
  }
}

function interrupted(): TowtankError {
  return new TowtankError({
    code: 'ERR_CLUSTER_START',
    message: 'interrupted before the cluster was ready; it has been taken down again',
  });
}

function startFailure(log: string, what: string): TowtankError {
  const lines = logTail(log, 30);
  return new TowtankError({
    code: 'ERR_CLUSTER_START',
    message: `the cluster ${what}; the end of its log:\n${lines}`,
    hint: 'towtank doctor shows what this machine lacks',
  });
}

// Indented; a note when there is no log.
function logTail(path: string, count: number): string {
  try {
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n').slice(-count);
    return lines.map((line) => `  ${line}`).join('\n');
  } catch (error) {
    return `  (no log: ${(error as Error).message})`;
  }
}
