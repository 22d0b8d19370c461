import { chmodSync, chownSync, existsSync, mkdirSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { isBelow } from './mount-points.ts';

/** A place at which something is to be mounted. */
export interface MountTarget {
  readonly path: string;
  readonly isFile: boolean;
}

/** Follows the links of the host's file system by name: the kernel would follow them out of a root that is being built. */
export function resolveTarget(target: string): string {
  if (existsSync(target)) return realpathSync(target);
  const parent = dirname(target);
  return parent === target ? target : join(resolveTarget(parent), basename(target));
}

/** Makes an empty folder or file to mount on, unless there is something already. */
export function ensureTarget({ path, isFile }: MountTarget): void {
  if (existsSync(path)) return;
  mkdirSync(isFile ? dirname(path) : path, { recursive: true });
  if (isFile) writeFileSync(path, '');
}

/** Makes, in `root`, the target and the folders of `lower` that lead to it, each with the rights of the folder it stands for. */
export function mirrorTarget(lower: string, root: string, target: MountTarget): void {
  const folders: string[] = [];
  for (let folder = dirname(target.path); isBelow(folder, lower); folder = dirname(folder)) folders.unshift(folder);
  for (const folder of folders) if (existsSync(folder)) mirrorFolder(folder, join(root, relative(lower, folder)));
  ensureTarget({ ...target, path: join(root, relative(lower, target.path)) });
}

/** Makes a folder with the rights of another one, and its owner where this user may give it away. */
export function mirrorFolder(like: string, path: string): void {
  mkdirSync(path, { recursive: true });
  const { mode, uid, gid } = statSync(like);
  chmodSync(path, mode & 0o7777);
  try {
    chownSync(path, uid, gid);
  } catch (error) {
    if (!['EPERM', 'EINVAL'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** True for a folder, also at the end of a link. */
export function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
