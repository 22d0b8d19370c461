import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { UserError } from '../errors/towtank-error.ts';
import { isLibcAvailable } from './ffi/libc.ts';
import { firstPort } from './loopback/first-port.ts';
import { portOffset } from './loopback/ports.ts';
import { resolverObstacle } from './loopback/resolver-obstacle.ts';
import { isMachineNetwork } from './machine-network.ts';
import { administratorSearchPath, findExecutable } from './programs/find-executable.ts';
import { runProgram } from './programs/run-program.ts';
import { sandboxCommand } from './sandbox/launch-command.ts';
import { forbidsUserNamespaces, inContainer, readLaunchFacts } from './sandbox/launch-failure.ts';
import { hasCapability, readPrivileges } from './sandbox/privileges.ts';
import { firstPlaceUid, lastPlaceUid } from './topology/flat-removal.ts';

/**
 * How much of a cluster's network this process may make: `full`, a namespace for each node and pod; `flat`, all of it in the one
 * namespace it stands in; `loopback`, nothing but sockets on 127.0.0.0/8.
 */
export type Tier = 'full' | 'flat' | 'loopback';

/** Whether one tier can be had here. */
export interface TierFinding {
  readonly tier: Tier;
  readonly ok: boolean;
  /** How it can be had, or why not. */
  readonly detail: string;
  /** What it needs, as options of `docker run`. */
  readonly needs: string;
  /** What it is. */
  readonly is: string;
  /** What does not work without it. */
  readonly withoutIt: string;
}

const about: Readonly<Record<Tier, Pick<TierFinding, 'needs' | 'is' | 'withoutIt'>>> = {
  full: {
    needs: '--cap-add NET_ADMIN --cap-add SYS_ADMIN --security-opt apparmor=unconfined (or --privileged)',
    is: 'a network namespace for each node and pod',
    withoutIt:
      'a kube-proxy for each node, Local traffic policies, ports and files of their own for pods, hostPort, IPv6, several clusters',
  },
  flat: {
    needs: '--cap-add NET_ADMIN',
    is: 'nodes, pods and Services in the one network namespace of this container, with one kube-proxy',
    withoutIt:
      'the rules of iptables and nftables, programs of pods that come from the address of their pod (but for curl), an outside client that cannot reach pods',
  },
  loopback: {
    needs: '(nothing)',
    is: 'nodes, pods and Services on addresses of 127.0.0.0/8, relayed by a userspace proxy',
    withoutIt: 'any cluster at all where the other two cannot be had',
  },
};

/** Finds out, by trying, which tiers can be had; takes some ten milliseconds and leaves nothing behind. */
export async function examineTiers(): Promise<readonly TierFinding[]> {
  const findings = [
    { tier: 'full', ...(await answer(tryFull)) },
    { tier: 'flat', ...(await answer(tryFlat)) },
    { tier: 'loopback', ...(await answer(tryLoopback)) },
  ] as const;
  return findings.map((finding) => ({ ...finding, ...about[finding.tier] }));
}

/** The best tier that can be had here; the full one also where none can, whose failure says why. */
export async function chooseTier(): Promise<Tier> {
  // A machine is seldom asked twice: trying takes as long as a tenth of a start.
  if (!inContainer() && !isSuspicious()) return 'full';
  return (await examineTiers()).find(({ ok }) => ok)?.tier ?? 'full';
}

function isSuspicious(): boolean {
  const { administrator } = readPrivileges();
  return !administrator && forbidsUserNamespaces(readLaunchFacts({ stderr: '', administrator }));
}

/** Throws ERR_TIER, with the reason, where one of the lower tiers cannot be had; the full one says so when it is launched. */
export function requireTier(tier: Tier): void {
  if (tier === 'full') return;
  try {
    if (tier === 'flat') tryFlat();
    else tryLoopback();
  } catch (cause) {
    throw new UserError({
      code: 'ERR_TIER',
      message: `the ${tier} tier cannot be had here: ${(cause as Error).message}`,
      hint: 'leave --tier away; towtank doctor shows what each tier needs',
      cause,
    });
  }
}

/** A tier in words: `flat: nodes, pods and Services in ...`. */
export function describeTier(tier: Tier): string {
  return `${tier}: ${about[tier].is}`;
}

async function answer(attempt: () => string | Promise<string>): Promise<Pick<TierFinding, 'ok' | 'detail'>> {
  try {
    return { ok: true, detail: await attempt() };
  } catch (error) {
    return { ok: false, detail: (error as Error).message };
  }
}

// What a sandbox does first of all: to hold a capability says nothing of seccomp and AppArmor.
async function tryFull(): Promise<string> {
  const privileges = readPrivileges();
  const unshare = findExecutable('unshare', administratorSearchPath(), '/');
  const mounts = 'mount -t tmpfs tmpfs /run && mount -t sysfs -o ro sysfs /sys';
  const command = sandboxCommand(privileges, { unshare, command: ['/bin/sh', '-c', mounts] });
  const { exitCode, stderr } = await runProgram({ command });
  if (exitCode !== 0) throw new Error(stderr.trim().split('\n').at(-1) || `unshare ended with status ${exitCode}`);
  return privileges.administrator ? 'CAP_SYS_ADMIN and CAP_NET_ADMIN' : 'through a user namespace';
}

const flatCapabilities = ['NET_ADMIN', 'SETUID', 'SETGID', 'SETPCAP'] as const;

function tryFlat(): string {
  if (isMachineNetwork()) throw new Error("this is the machine's own network, which towtank leaves alone");
  if (!isLibcAvailable()) throw new Error('koffi does not load');
  const status = readFileSync('/proc/self/status', 'latin1');
  const missing = flatCapabilities.filter((name) => !hasCapability(name, status));
  if (missing.length > 0) throw new Error(`lacks ${missing.map((name) => `CAP_${name}`).join(', ')}`);
  if (!hasUserIds(readFileSync('/proc/self/uid_map', 'latin1')))
    throw new Error('has too few user ids to tell places apart');
  return 'CAP_NET_ADMIN';
}

// Lines of /proc/PID/uid_map: the first id here, the first one outside, how many.
function hasUserIds(map: string): boolean {
  const ranges = map
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  return ranges.some(([first = 0, , count = 0]) => first <= firstPlaceUid && first + count > lastPlaceUid);
}

function tryLoopback(): string {
  if (!isLibcAvailable()) throw new Error('koffi does not load');
  const addresses = Object.values(networkInterfaces()).flatMap((link = []) => link);
  if (!addresses.some(({ address }) => address === '127.0.0.1')) throw new Error('the link lo is down');
  return loopbackLimits().join('; ') || 'every port, and names for every program';
}

/**
 * What the loopback tier lacks on this machine beyond what it always lacks, in words. `obstacle` is what keeps programs from the
 * names of a cluster that runs, null when nothing does.
 */
export function loopbackLimits(
  first = firstPort(),
  obstacle: string | null = resolverObstacle() ?? null,
): readonly string[] {
  return [
    ...(first > 1
      ? [`ports below ${first} may not be opened and stand ${portOffset} higher: 80 is ${80 + portOffset}`]
      : []),
    ...(obstacle === null ? [] : [`programs do not find names of the cluster: ${obstacle}`]),
  ];
}
