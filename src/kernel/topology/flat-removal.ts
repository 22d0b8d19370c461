import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { TowtankError } from '../../errors/towtank-error.ts';
import { administratorSearchPath, findExecutable } from '../programs/find-executable.ts';
import { flatLink, masqueradeLabel, rulePriorities } from './flat-operations.ts';

/** User ids of places: below the 65,536 that rootless containers have, above those of people and services. */
export const firstPlaceUid = 50_000;
export const lastPlaceUid = 59_999;

/**
 * Kills the programs of all places and removes what a flat network has put into this network namespace, whoever made it. Nothing
 * there is no error. Throws ERR_NETLINK when the kernel refuses.
 */
export function removeFlatNetwork(): void {
  // Without its link no flat network was ever here, and whoever has those user ids is a stranger.
  if (!readFileSync('/proc/self/net/dev', 'latin1').includes(`${flatLink}:`)) return;
  killUsers(firstPlaceUid, lastPlaceUid);
  for (const family of ['-4', '-6']) {
    const rules = ip(family, 'rule', 'show');
    for (const [, priority, table] of rules.matchAll(/^(\d+):.* lookup (\S+)/gm)) {
      if (Number(priority) !== rulePriorities.place && Number(priority) !== rulePriorities.everybody) continue;
      ip(family, 'route', 'flush', 'table', table!);
      ip(family, 'rule', 'del', 'priority', priority!, 'lookup', table!);
    }
    if (!/^0:/m.test(rules)) ip(family, 'rule', 'add', 'priority', '0', 'lookup', 'local');
    if (rules.includes(`${rulePriorities.local}:`)) ip(family, 'rule', 'del', 'priority', String(rulePriorities.local));
  }
  ip('-4', 'addr', 'flush', 'dev', 'lo', 'label', masqueradeLabel);
  ip('link', 'del', flatLink);
}

/** Kills every process of these user ids; resolves nothing and waits for nothing but the signal. */
export function killUsers(first: number, last: number): void {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const uid = statSync(`/proc/${name}`, { throwIfNoEntry: false })?.uid ?? -1;
    if (uid >= first && uid <= last) killIfThere(Number(name));
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

// What the kernel has is asked from iproute2: this runs once, where nothing is known of who made it.
function ip(...words: readonly string[]): string {
  const program = findExecutable('ip', administratorSearchPath(), '/');
  const { status, stdout, stderr } = spawnSync(program, words, { encoding: 'utf8', env: { LC_ALL: 'C' } });
  // Tables are flushed also where they are empty, which ip calls an error.
  if (status === 0 || /table does not exist|No such/.test(stderr)) return stdout;
  throw new TowtankError({ code: 'ERR_NETLINK', message: `ip ${words.join(' ')}: ${stderr.trim()}` });
}
