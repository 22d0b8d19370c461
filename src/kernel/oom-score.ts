import { writeFileSync } from 'node:fs';
import { SystemCallError } from '../errors/system-call-error.ts';

const PATH = '/proc/self/oom_score_adj';

/**
 * Sets how likely the kernel is to end this process when memory is short: from -1000 (never) to 1000 (first). Throws ERR_SYSCALL
 * when it is made less likely than before without CAP_SYS_RESOURCE.
 */
export function setOomScoreAdj(value: number): void {
  try {
    writeFileSync(PATH, String(value));
  } catch (error) {
    const { errno, syscall } = error as NodeJS.ErrnoException;
    if (errno === undefined) throw error;
    throw new SystemCallError({ syscall: syscall ?? 'write', errno: -errno, subject: PATH, netns: undefined });
  }
}
