import { existsSync, readFileSync } from 'node:fs';
import { TowtankError, UserError } from '../../errors/towtank-error.ts';

/** What is known when the namespaces of a sandbox could not be made. */
export interface LaunchFacts {
  /** What unshare printed. */
  readonly stderr: string;
  readonly administrator: boolean;
  readonly container: boolean;
  /** Numbers of /proc/sys/…; undefined where the kernel has no such file. */
  readonly apparmorRestriction: number | undefined;
  readonly maxUserNamespaces: number | undefined;
  readonly unprivilegedUserNamespaces: number | undefined;
}

const containerHint =
  'in a container: docker run --cap-add NET_ADMIN --cap-add SYS_ADMIN --security-opt apparmor=unconfined … (or --privileged); --cap-add NET_ADMIN alone gives the flat tier';

const apparmorHint = [
  'any one of these lets an ordinary user in:',
  '  1. run towtank as root: sudo towtank …',
  '  2. lift the restriction: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0',
  '  3. allow one program: an AppArmor profile for /usr/bin/unshare with flags=(unconfined) { userns, }',
  '  4. enter through a program that has such a profile: podman unshare towtank …',
].join('\n');

/** Whether this process runs in a container of Docker, Podman or Kubernetes, by what they leave in it. */
export function inContainer(): boolean {
  if (existsSync('/.dockerenv') || existsSync('/run/.containerenv')) return true;
  return process.env.container !== undefined || process.env.KUBERNETES_SERVICE_HOST !== undefined;
}

/** Reads the facts of this machine that explain a failure. */
export function readLaunchFacts(failure: Pick<LaunchFacts, 'stderr' | 'administrator'>): LaunchFacts {
  return {
    ...failure,
    container: inContainer(),
    apparmorRestriction: readNumber('/proc/sys/kernel/apparmor_restrict_unprivileged_userns'),
    maxUserNamespaces: readNumber('/proc/sys/user/max_user_namespaces'),
    unprivilegedUserNamespaces: readNumber('/proc/sys/kernel/unprivileged_userns_clone'),
  };
}

/** Whether a setting of this machine keeps ordinary users from user namespaces, or most of their programs. */
export function forbidsUserNamespaces(facts: LaunchFacts): boolean {
  const { apparmorRestriction, maxUserNamespaces, unprivilegedUserNamespaces } = facts;
  return apparmorRestriction === 1 || maxUserNamespaces === 0 || unprivilegedUserNamespaces === 0;
}

/** The error that says why there is no sandbox and what to do about it. */
export function launchError(facts: LaunchFacts): TowtankError {
  const { stderr, administrator, container } = facts;
  if (/unrecognized option|invalid option|unknown option/i.test(stderr)) {
    return new UserError({
      code: 'ERR_MISSING_PROGRAM',
      message: `this machine's unshare lacks an option: ${stderr}`,
      hint: 'install the package util-linux (BusyBox has an unshare of its own that is too small)',
    });
  }
  if (!administrator && facts.apparmorRestriction === 1 && !container) {
    return noUserNamespaces('AppArmor of this machine keeps ordinary users from user namespaces', apparmorHint);
  }
  if (facts.maxUserNamespaces === 0) {
    const hint = 'raise it (sudo sysctl -w user.max_user_namespaces=15000) or run as root';
    return noUserNamespaces('this machine allows no user namespaces (user.max_user_namespaces=0)', hint);
  }
  if (!administrator && facts.unprivilegedUserNamespaces === 0) {
    const hint = 'allow them (sudo sysctl -w kernel.unprivileged_userns_clone=1) or run as root';
    return noUserNamespaces('ordinary users may not make user namespaces (kernel.unprivileged_userns_clone=0)', hint);
  }
  return refused(facts);
}

/** The error for a supervisor that was gone before it was looked for: its namespaces had been made. */
export function endedAtOnce(stderr: string): TowtankError {
  return new TowtankError({
    code: 'ERR_CLUSTER_START',
    message: `the supervisor ended as soon as it had begun: ${stderr || 'it left no word in its log'}`,
  });
}

function noUserNamespaces(message: string, hint: string): TowtankError {
  return new UserError({ code: 'ERR_NO_USER_NAMESPACES', message, hint });
}

function refused({ stderr, administrator, container }: LaunchFacts): TowtankError {
  const outsideHint = administrator
    ? 'a limit of this machine may be reached: see sysctl user.max_net_namespaces, user.max_mnt_namespaces'
    : 'run as root, or without any privilege by --tier loopback; see whether this kernel has CONFIG_USER_NS, CONFIG_NET_NS and CONFIG_PID_NS';
  return new UserError({
    code: administrator ? 'ERR_PERMISSION' : 'ERR_NO_USER_NAMESPACES',
    message: `the namespaces of a sandbox cannot be made: ${stderr || 'unshare ended without a word'}`,
    hint: container ? containerHint : outsideHint,
  });
}

function readNumber(path: string): number | undefined {
  try {
    return Number(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
