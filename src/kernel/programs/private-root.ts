import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { SystemCallError } from '../../errors/system-call-error.ts';
import { MNT_DETACH, MS_MOVE } from '../ffi/constants.ts';
import { systemCall } from '../ffi/system-calls.ts';
import { netnsDirectory } from '../network-namespace.ts';
import { assembleRoot } from './assemble-root.ts';
import { bindMount } from './bind-mount.ts';
import { mountDevices } from './mount-devices.ts';
import { mountOverlay } from './mount-overlay.ts';
import { isBelow, type MountPoint, mountPointsExcept, shownAsTheyAre } from './mount-points.ts';
import { ensureTarget, isDirectory, type MountTarget, resolveTarget } from './mount-targets.ts';
import type { ProgramMount } from './program.ts';

// Files are exchanged with the host here, so it is no part of the layer.
const shared: MountPoint = { path: '/tmp', isTree: true };

/**
 * Builds, in the folder `layer`, a view of the whole file system in which targets that the host lacks exist, with a small
 * /dev. What is written to the host's root file system stays in the layer, if the kernel allows an overlay over it; an
 * ordinary user, who could not write to it anyway, gets a root of tmpfs with the host's folders in it. Returns the view's
 * path; to be called in a mount namespace of its own.
 */
export function buildPrivateRoot(layer: string, mounts: readonly ProgramMount[], folders: readonly string[]): string {
  const mounted = mountPointsExcept(netnsDirectory).filter(({ path }) => existsSync(path) && !isDevice(path));
  const points = mounted.some(({ path }) => path === shared.path) ? mounted : [...mounted, shared];
  const targets = [
    ...mounts.map(({ source, target }) => ({ path: resolveTarget(target), isFile: !isDirectory(source) })),
    ...folders.map((folder) => ({ path: resolveTarget(folder), isFile: false })),
  ];
  const missing = targets.filter(({ path }) => !existsSync(path));
  const root = join(layer, 'root');
  mkdirSync(root, { recursive: true });
  try {
    overlayRoot({ layer, root, points, missing });
  } catch (error) {
    // A user namespace may not look at what lies under the mounts of its root, and an overlay of the root would.
    if (!(error instanceof SystemCallError)) throw error;
    assembleRoot({ layer, root, points, missing });
  }
  mountDevices(join(root, 'dev'));
  for (const target of missing) ensureTarget({ ...target, path: join(root, target.path) });
  return root;
}

/** Mounts what the program is to see, in a root built before ('' means the file system as it is), the outer ones first. */
export function mountInto(root: string, mounts: readonly ProgramMount[]): void {
  const depth = ({ target }: ProgramMount): number => target.split('/').filter(Boolean).length;
  for (const mount of [...mounts].sort((a, b) => depth(a) - depth(b))) {
    const target = root + resolveTarget(mount.target);
    // A target within another volume is made in that one.
    if (root !== '') ensureTarget({ path: target, isFile: !isDirectory(mount.source) });
    bindMount({ ...mount, target });
  }
}

/** Makes `root` the root of this mount namespace, for good. */
export function enterRoot(root: string): void {
  systemCall('chdir', [root], { subject: root });
  try {
    // Putting the old root on top of the new one and taking it off again needs no folder for it.
    systemCall('pivot_root', ['.', '.'], { subject: root });
    systemCall('umount2', ['.', MNT_DETACH], { subject: 'old root' });
  } catch (error) {
    if (!(error instanceof SystemCallError) || !['EPERM', 'ENOSYS'].includes(error.errno)) throw error;
    coverRoot(root);
  }
  systemCall('chdir', ['/'], { subject: root });
}

// Docker's seccomp profile knows no pivot_root, whatever the capabilities: the new root is moved over the old one, as an initial
// ramdisk does it.
function coverRoot(root: string): void {
  systemCall('mount', ['.', '/', null, MS_MOVE, null], { subject: root });
  systemCall('chroot', ['.'], { subject: root });
}

interface RootOptions {
  readonly layer: string;
  readonly root: string;
  readonly points: readonly MountPoint[];
  readonly missing: readonly MountTarget[];
}

function overlayRoot({ layer, root, points, missing }: RootOptions): void {
  const onRoot = missing.filter((target) => !points.some(({ path }) => isBelow(target.path, path)));
  mountOverlay('/', { layer: join(layer, '0'), target: root, missing: onRoot });
  for (const [i, { path, isTree }] of points.entries()) {
    const within = missing.filter((target) => isBelow(target.path, path));
    const target = join(root, path);
    if (within.length === 0 || shownAsTheyAre.includes(path)) bindMount({ source: path, target }, isTree);
    else mountOverlay(path, { layer: join(layer, String(i + 1)), target, missing: within });
  }
}

function isDevice(path: string): boolean {
  return path === '/dev' || isBelow(path, '/dev');
}
