import { readFileSync } from 'node:fs';

interface Rule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly object[] | null;
  readonly includes?: { readonly caps?: readonly string[] } | null;
  readonly excludes?: { readonly caps?: readonly string[] } | null;
}

interface Profile {
  readonly defaultErrnoRet?: number;
  readonly syscalls: readonly Rule[];
}

// Docker allows these only with CAP_SYS_ADMIN; Podman's profile, from which Docker's differs in little else, allows them always.
const administratorOnly = [
  ...['clone', 'clone3', 'unshare', 'setns', 'mount', 'umount', 'umount2', 'mount_setattr', 'move_mount'],
  ...['open_tree', 'fsopen', 'fsconfig', 'fsmount', 'fspick'],
];
// And this one never.
const never = 'pivot_root';
// CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET
const newNamespaces = 0x7e020000;
const ENOSYS = 38;
const EPERM = 1;

/** Podman's default profile, as the package containers-common installs it. */
export const podmanSeccompProfile = '/usr/share/containers/seccomp.json';

/** Docker's default seccomp profile, made of the one that containers-common installs. */
export function dockerSeccompProfile(): Profile {
  const profile = JSON.parse(readFileSync(podmanSeccompProfile, 'utf8')) as Profile;
  const moved = new Set([...administratorOnly, never]);
  const kept = profile.syscalls
    .map((rule) => ({ ...rule, names: rule.names.filter((name) => !moved.has(name)) }))
    .filter(({ names }) => names.length > 0);
  const administrator = { caps: ['CAP_SYS_ADMIN'] };
  const plainClone = { index: 0, value: newNamespaces, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' };
  return {
    ...profile,
    defaultErrnoRet: EPERM,
    syscalls: [
      ...kept,
      { names: administratorOnly, action: 'SCMP_ACT_ALLOW', args: [], includes: administrator, excludes: {} },
      { names: ['clone'], action: 'SCMP_ACT_ALLOW', args: [plainClone], includes: {}, excludes: administrator },
      {
        names: ['clone3'],
        action: 'SCMP_ACT_ERRNO',
        errnoRet: ENOSYS,
        args: [],
        includes: {},
        excludes: administrator,
      },
    ],
  };
}
