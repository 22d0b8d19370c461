import { processStartTime } from './process-identity.ts';

/** How a later process knows a sandbox again. */
export interface SandboxIdentity {
  readonly innerPid: number;
  readonly innerStartTime: string;
}

const PAUSE_MS = 2;

/**
 * Ends a sandbox that another process launched: kills its pid 1 and resolves when that is gone, with it every process in the
 * sandbox. One that is gone already is no error.
 */
export async function killSandbox({ innerPid, innerStartTime }: SandboxIdentity): Promise<void> {
  if (processStartTime(innerPid) !== innerStartTime) return;
  process.kill(innerPid, 'SIGKILL');
  // The death of a process that is not our child tells nobody; /proc is asked until the kernel has taken it apart.
  while (processStartTime(innerPid) === innerStartTime) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}
