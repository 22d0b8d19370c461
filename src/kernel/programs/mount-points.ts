import { readFileSync } from 'node:fs';

/** Folders that belong to the sandbox or the kernel, not to the host's disk: targets may be made in them. */
export const shownAsTheyAre: readonly string[] = ['/run', '/proc', '/sys'];

/** A file system that is to be shown in another root, alone or with everything mounted below it. */
export interface MountPoint {
  readonly path: string;
  readonly isTree: boolean;
}

/**
 * What is mounted below the root file system, in the order of the paths. `except` is left out, with what lies below it;
 * what lies around it is listed piece by piece, so that it can be carried over without it.
 */
export function mountPointsExcept(except: string): readonly MountPoint[] {
  const all = readFileSync('/proc/thread-self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => unescapePath(line.split(' ')[4] ?? ''))
    .filter((path) => path.length > 1 && path !== except && !isBelow(path, except));
  const points = [...new Set(all)].sort();
  const around = points.filter((path) => isBelow(except, path));
  const trees = topmost(points.filter((path) => !around.includes(path)));
  return [...around.map((path) => ({ path, isTree: false })), ...trees.map((path) => ({ path, isTree: true }))];
}

/** Those of sorted paths that lie below no other one of them. */
export function topmost(sorted: readonly string[]): readonly string[] {
  const kept: string[] = [];
  for (const path of sorted) if (!kept.some((above) => isBelow(path, above))) kept.push(path);
  return kept;
}

/** True when `path` lies below `directory`, at any depth. */
export function isBelow(path: string, directory: string): boolean {
  return path !== directory && path.startsWith(directory.endsWith('/') ? directory : `${directory}/`);
}

// The kernel writes spaces, tabs, line ends and backslashes as octal numbers.
function unescapePath(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
