import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { TowtankError } from '../../errors/towtank-error.ts';

// Ordinary users of Debian and others have no sbin in PATH, where ip, iptables, nft and conntrack are.
const administratorPath = '/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin';

/** PATH of this process, with the directories of the administrator's programs behind it. */
export function administratorSearchPath(): string {
  return [process.env.PATH, administratorPath].filter(Boolean).join(':');
}

/**
 * Finds what running `name` would run: as it is when it has a slash (relative to `cwd`), else the first match in `path`.
 * Throws ERR_MISSING_PROGRAM when there is none, ERR_PERMISSION when it may not be run.
 */
export function findExecutable(name: string, path: string, cwd: string): string {
  if (name === '') throw missing('""', 'the command is empty');
  const candidates = name.includes('/')
    ? [resolve(cwd, name)]
    : path.split(':').map((directory) => join(directory === '' ? cwd : directory, name));
  let denied: string | undefined;
  for (const candidate of candidates) {
    const state = probe(candidate);
    if (state === 'runs') return candidate;
    if (state === 'denied') denied ??= candidate;
  }
  if (denied !== undefined) {
    throw new TowtankError({ code: 'ERR_PERMISSION', message: `exec: "${name}": permission denied` });
  }
  throw missing(`"${name}"`, name.includes('/') ? 'no such file or directory' : 'executable file not found in $PATH');
}

function probe(file: string): 'runs' | 'denied' | 'absent' {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile() ? 'runs' : 'denied';
  } catch {
    return existsSync(file) ? 'denied' : 'absent';
  }
}

function missing(what: string, why: string): TowtankError {
  return new TowtankError({ code: 'ERR_MISSING_PROGRAM', message: `exec: ${what}: ${why}` });
}
