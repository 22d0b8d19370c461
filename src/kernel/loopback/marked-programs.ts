import { readdirSync, readFileSync } from 'node:fs';

/** The variable by which programs of a loopback cluster are known: where nothing else tells theirs from others. */
export const markVariable = 'TOWTANK_PLACE';

/** The mark of a place of a cluster; `cluster` is one start of one cluster. */
export function markOf(cluster: string, place: string): string {
  return `${cluster}/${place}`;
}

/**
 * Kills every process of this user that was started with the mark of a place, or of any place of a cluster, and whatever those
 * started. A program that forgets its environment and leaves its parent is not found.
 */
export function killMarked(cluster: string, place?: string): void {
  const wanted = place === undefined ? markOf(cluster, '') : `${markOf(cluster, place)}\0`;
  // What was started while we looked is found the next time.
  while (killOnce(`\0${markVariable}=${wanted}`) > 0);
}

function killOnce(mark: string): number {
  let killed = 0;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    if (!`\0${environmentOf(name)}`.includes(mark)) continue;
    if (kill(Number(name))) killed++;
  }
  return killed;
}

// Of another user's process, and of one that is gone, nothing is to be read.
function environmentOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch (error) {
    if (['EACCES', 'EPERM', 'ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw error;
  }
}

function kill(pid: number): boolean {
  try {
    process.kill(pid, 'SIGKILL');
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}
