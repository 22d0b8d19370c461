import { processStartTime } from './process-identity.ts';

/** How a later process knows a sandbox again. */
export interface SandboxIdentity {
  readonly innerPid: number;
  readonly innerStartTime: string;
  readonly outerPid?: number;
  readonly outerStartTime?: string | undefined;
}

const PAUSE_MS = 2;

/**
 * Ends a sandbox that another process launched: kills its pid 1 and resolves when that is gone, with it every process in the
 * sandbox, and what stands outside has cleaned up. One that is gone already is no error.
 */
export async function killSandbox(sandbox: SandboxIdentity): Promise<void> {
  const { innerPid, innerStartTime, outerPid, outerStartTime } = sandbox;
  if (processStartTime(innerPid) === innerStartTime) process.kill(innerPid, 'SIGKILL');
  await untilGone(innerPid, innerStartTime);
  if (outerPid !== undefined && outerStartTime !== undefined) await untilGone(outerPid, outerStartTime);
}

async function untilGone(pid: number, startTime: string): Promise<void> {
  // The death of a process that is not our child tells nobody; /proc is asked until the kernel has taken it apart.
  while (processStartTime(pid) === startTime) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}
