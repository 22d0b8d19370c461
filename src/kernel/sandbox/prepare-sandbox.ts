import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readlinkSync,
  realpathSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { SystemCallError } from '../../errors/system-call-error.ts';
import { TowtankError, UserError } from '../../errors/towtank-error.ts';
import { MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_RDONLY, MS_REC } from '../ffi/constants.ts';
import { systemCall } from '../ffi/system-calls.ts';
import { configureNewNamespace, NetworkNamespace, netnsDirectory } from '../network-namespace.ts';

/** Environment variable through which `launchSandbox` tells which folders must stay visible: a JSON array of paths. */
export const keptPathsVariable = 'TOWTANK_SANDBOX_KEEP';

// Where NixOS has its programs.
const systemPaths = ['/run/current-system', '/run/wrappers', '/run/booted-system', '/run/opengl-driver'];
const O_PATH = 0o10000000;

/**
 * Makes the sandbox's own /run and /sys and a quiet root network namespace. To be called first of all in the file that
 * `launchSandbox` runs. Throws ERR_INTERNAL outside of a sandbox, ERR_PERMISSION where mounting is refused.
 */
export function prepareSandbox(): void {
  const kept = process.env[keptPathsVariable];
  if (kept === undefined) throw new TowtankError({ code: 'ERR_INTERNAL', message: 'not in a sandbox' });
  NetworkNamespace.current();
  try {
    systemCall('mount', ['none', '/', null, MS_REC | MS_PRIVATE, null], { subject: 'private mounts' });
    mountRun([...systemPaths, ...(JSON.parse(kept) as string[])]);
    systemCall('mount', ['sysfs', '/sys', 'sysfs', MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, null], {
      subject: '/sys',
    });
  } catch (error) {
    throw error instanceof SystemCallError ? mountRefused(error) : error;
  }
  configureNewNamespace();
}

function mountRun(kept: readonly string[]): void {
  const open = kept.filter(isUnderRun).map((path) => ({ path, fd: openSync(path, O_PATH) }));
  systemCall('mount', ['tmpfs', '/run', 'tmpfs', MS_NOSUID | MS_NODEV, 'mode=755'], { subject: '/run' });
  for (const { path, fd } of open) {
    mkdirSync(path, { recursive: true });
    systemCall('mount', [`/proc/self/fd/${fd}`, path, null, MS_BIND | MS_REC, null], { subject: path });
    closeSync(fd);
  }
  mkdirSync(netnsDirectory, { recursive: true });
  mkdirSync('/run/lock', { recursive: true });
  // iproute2 looks for names under /var/run, which is nearly always a link to /run.
  if (existsSync('/var/run') && realpathSync('/var/run') !== '/run') {
    systemCall('mount', ['/run', '/var/run', null, MS_BIND | MS_REC, null], { subject: '/var/run' });
  }
  restoreLinkTarget('/etc/resolv.conf');
}

function isUnderRun(path: string): boolean {
  return path.startsWith('/run/') && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

// systemd makes /etc/resolv.conf a link into /run; pods get their own file mounted there, which needs something to mount on.
function restoreLinkTarget(path: string): void {
  let target: string;
  try {
    target = resolve(dirname(path), readlinkSync(path));
  } catch {
    return;
  }
  if (!target.startsWith('/run/') || existsSync(target)) return;
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, '');
}

function mountRefused(cause: SystemCallError): TowtankError {
  return new UserError({
    code: 'ERR_PERMISSION',
    message: `the sandbox may not mount: ${cause.message}`,
    hint: 'in a container add --security-opt apparmor=unconfined (and --security-opt systempaths=unconfined without SYS_ADMIN)',
    cause,
  });
}
