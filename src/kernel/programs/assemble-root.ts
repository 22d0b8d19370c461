import { lstatSync, mkdirSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemCall } from '../ffi/system-calls.ts';
import { bindMount } from './bind-mount.ts';
import { mountOverlay } from './mount-overlay.ts';
import { isBelow, type MountPoint, shownAsTheyAre } from './mount-points.ts';
import { type MountTarget, mirrorFolder } from './mount-targets.ts';

export interface AssembledRoot {
  readonly layer: string;
  /** An empty folder. */
  readonly root: string;
  readonly points: readonly MountPoint[];
  readonly missing: readonly MountTarget[];
}

/** Builds a root of tmpfs in which everything of `/` is shown piece by piece; folders in which a target is missing are taken apart further. */
export function assembleRoot(options: AssembledRoot): void {
  systemCall('mount', ['tmpfs', options.root, 'tmpfs', 0, 'mode=755'], { subject: options.root });
  assembleFolder('/', options);
}

function assembleFolder(folder: string, options: AssembledRoot): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const target = join(options.root, path);
    const stat = lstatSync(path);
    if (path === '/dev') mkdirSync(target);
    else if (stat.isSymbolicLink()) symlinkSync(readlinkSync(path), target);
    else if (stat.isDirectory()) showFolder(path, target, options);
    else {
      writeFileSync(target, '');
      bindMount({ source: path, target });
    }
  }
}

function showFolder(path: string, target: string, options: AssembledRoot): void {
  const { layer, points, missing } = options;
  const around = points.find((point) => point.path === path && !point.isTree);
  const within = missing.filter((each) => isBelow(each.path, path));
  mirrorFolder(path, target);
  if (around !== undefined) {
    bindMount({ source: path, target }, false);
    for (const point of points)
      if (isBelow(point.path, path)) bindMount({ source: point.path, target: join(options.root, point.path) });
  } else if (within.length === 0 || shownAsTheyAre.includes(path)) bindMount({ source: path, target });
  else if (points.some((point) => isBelow(point.path, path))) assembleFolder(path, options);
  else mountOverlay(path, { layer: join(layer, path.replaceAll('/', '_')), target, missing: within });
}
