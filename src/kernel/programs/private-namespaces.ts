import { closeSync, existsSync, openSync } from 'node:fs';
import { TowtankError } from '../../errors/towtank-error.ts';
import { CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUTS, MS_BIND, MS_RDONLY, MS_REC, MS_REMOUNT } from '../ffi/constants.ts';
import { systemCall } from '../ffi/system-calls.ts';
import { netnsDirectory } from '../network-namespace.ts';
import type { ProgramMount, ProgramSandbox } from './program.ts';

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
    systemCall('unshare', [CLONE_NEWNS | CLONE_NEWUTS], { subject: 'mount and host name' });
    systemCall('sethostname', [sandbox.hostname, Buffer.byteLength(sandbox.hostname)], { subject: sandbox.hostname });
    furnish(sandbox);
    if (sandbox.proc) systemCall('unshare', [CLONE_NEWPID], { subject: 'processes' });
    return start();
  });
}

/** Runs `start` with this thread in the mount, host name and pid namespaces of process `pid`. Throws ERR_SYSCALL if it is gone. */
export function inNamespacesOf<T>(pid: number, start: () => T): T {
  return withNamespacesKept(() => {
    // All are opened before the first is entered: /proc of the other mount namespace counts processes differently.
    const descriptors = kinds.map(([kind]) =>
      openNamespace(`/proc/${pid}/ns/${kind === 'pid_for_children' ? 'pid' : kind}`),
    );
    try {
      for (const [i, [kind, flag]] of kinds.entries()) enter(descriptors[i]!, flag, `${kind} of process ${pid}`);
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

function withNamespacesKept<T>(action: () => T): T {
  ensureOwnHostname();
  const cwd = openSync('.', 'r');
  const kept = kinds.map(([kind]) =>
    openNamespace(`/proc/thread-self/ns/${kind === 'pid_for_children' ? 'pid' : kind}`),
  );
  try {
    return action();
  } finally {
    for (const [i, [kind, flag]] of kinds.entries()) enter(kept[i]!, flag, `own ${kind}`);
    systemCall('fchdir', [cwd], { subject: 'own directory' });
    for (const fd of [...kept, cwd]) closeSync(fd);
  }
}

function openNamespace(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    throw new TowtankError({ code: 'ERR_SYSCALL', message: `${path} cannot be entered: the process is gone`, cause });
  }
}

function enter(fd: number, flag: number, subject: string): void {
  systemCall('setns', [fd, flag], { subject });
}

function furnish({ files, mounts = [] }: ProgramSandbox): void {
  if (existsSync(netnsDirectory)) systemCall('mount', ['tmpfs', netnsDirectory, 'tmpfs', MS_RDONLY, null]);
  for (const [target, source] of Object.entries(files)) bindMount({ source, target });
  for (const mount of mounts) bindMount(mount);
}

function bindMount({ source, target, readOnly = false }: ProgramMount): void {
  const subject = `${source} at ${target}`;
  systemCall('mount', [source, target, null, MS_BIND | MS_REC, null], { subject });
  if (readOnly) systemCall('mount', ['none', target, null, MS_BIND | MS_REMOUNT | MS_RDONLY, null], { subject });
}
