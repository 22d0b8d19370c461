import { closeSync, existsSync, openSync } from 'node:fs';
import { TowtankError } from '../../errors/towtank-error.ts';
import { CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUTS, MS_RDONLY } from '../ffi/constants.ts';
import { systemCall } from '../ffi/system-calls.ts';
import { netnsDirectory } from '../network-namespace.ts';
import { buildPrivateRoot, enterRoot, mountInto } from './private-root.ts';
import type { ProgramSandbox } from './program.ts';

// Entering another mount namespace and coming back forgets the working directory, so it is last to be restored.
const kinds = [
  ['mnt', CLONE_NEWNS],
  ['uts', CLONE_NEWUTS],
  ['pid_for_children', CLONE_NEWPID],
] as const;

/**
 * Runs `start` with this thread in fresh mount, host name and (with `proc`) pid namespaces made as `sandbox` says; programs
 * that it starts are born there. Only the calling thread is moved, and it is back when the call returns.
 */
export function inFreshNamespaces<T>(sandbox: ProgramSandbox, start: () => T): T {
  return withNamespacesKept(() => {
    furnish(sandbox);
    if (sandbox.proc) systemCall('unshare', [CLONE_NEWPID], { subject: 'processes' });
    return start();
  });
}

/** Runs `start` with this thread under a host name; programs that it starts keep it. */
export function underHostname<T>(hostname: string, start: () => T): T {
  ensureOwnHostname();
  const own = openNamespace('/proc/thread-self/ns/uts');
  try {
    systemCall('unshare', [CLONE_NEWUTS], { subject: 'host name' });
    setHostname(hostname);
    return start();
  } finally {
    enterNamespace(own, CLONE_NEWUTS, 'own host name');
    closeSync(own);
  }
}

/** Runs `start` with this thread in the mount, host name and pid namespaces of process `pid`. Throws ERR_SYSCALL if it is gone. */
export function inNamespacesOf<T>(pid: number, start: () => T): T {
  return withNamespacesKept(() => {
    // All are opened before the first is entered: /proc of the other mount namespace counts processes differently.
    const descriptors = kinds.map(([kind]) =>
      openNamespace(`/proc/${pid}/ns/${kind === 'pid_for_children' ? 'pid' : kind}`),
    );
    try {
      for (const [i, [kind, flag]] of kinds.entries())
        enterNamespace(descriptors[i]!, flag, `${kind} of process ${pid}`);
    } finally {
      for (const fd of descriptors) closeSync(fd);
    }
    return start();
  });
}

let ownHostname = false;

// One can only come back to a namespace that one's own user namespace owns, which the host's host name is not in.
function ensureOwnHostname(): void {
  if (ownHostname) return;
  systemCall('unshare', [CLONE_NEWUTS], { subject: 'host name' });
  ownHostname = true;
}

/** Runs `action`, which may move this thread between mount, host name and pid namespaces, and comes back. */
export function withNamespacesKept<T>(action: () => T): T {
  ensureOwnHostname();
  const cwd = openSync('.', 'r');
  const kept = kinds.map(([kind]) =>
    openNamespace(`/proc/thread-self/ns/${kind === 'pid_for_children' ? 'pid' : kind}`),
  );
  try {
    return action();
  } finally {
    for (const [i, [kind, flag]] of kinds.entries()) enterNamespace(kept[i]!, flag, `own ${kind}`);
    systemCall('fchdir', [cwd], { subject: 'own directory' });
    for (const fd of [...kept, cwd]) closeSync(fd);
  }
}

/** Opens a namespace file of /proc. Throws ERR_SYSCALL when its process is gone. */
export function openNamespace(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    throw new TowtankError({ code: 'ERR_SYSCALL', message: `${path} cannot be entered: the process is gone`, cause });
  }
}

/** Moves this thread into a namespace. Throws ERR_SYSCALL. */
export function enterNamespace(fd: number, flag: number, subject: string): void {
  systemCall('setns', [fd, flag], { subject });
}

/** Moves this thread into new mount and host name namespaces, furnished as `sandbox` says. */
export function furnish(sandbox: ProgramSandbox): void {
  const { files, mounts = [], layer, hostname, folders = [] } = sandbox;
  systemCall('unshare', [CLONE_NEWNS | CLONE_NEWUTS], { subject: 'mount and host name' });
  setHostname(hostname);
  const all = [...Object.entries(files).map(([target, source]) => ({ source, target })), ...mounts];
  const root = layer === undefined ? '' : buildPrivateRoot(layer, all, folders);
  // Other pods' namespaces are none of the program's business.
  const hidden = `${root}${netnsDirectory}`;
  if (existsSync(hidden)) systemCall('mount', ['tmpfs', hidden, 'tmpfs', MS_RDONLY, null]);
  mountInto(root, all);
  if (root !== '') enterRoot(root);
}

function setHostname(hostname: string): void {
  systemCall('sethostname', [hostname, Buffer.byteLength(hostname)], { subject: hostname });
}
