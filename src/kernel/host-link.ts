import { readFileSync } from 'node:fs';
import { TowtankError } from '../errors/towtank-error.ts';
import { withoutPrefixLength } from './ffi/ip-bytes.ts';
import { administratorSearchPath } from './programs/find-executable.ts';
import { runProgram } from './programs/run-program.ts';
import { isV6 } from './topology/addresses.ts';
import { flatLink } from './topology/flat-operations.ts';

export interface HostLinkPlan {
  /** Pid of the sandbox's pid 1. */
  readonly innerPid: number;
  /** Addresses of the machine on the fabric, with prefix length. */
  readonly addresses: readonly string[];
  /** What is behind nodes: the ranges of Services and pods. */
  readonly routes: readonly { readonly destination: string; readonly gateway: string }[];
}

/** Name of the end in the sandbox, which is to be plugged into the fabric. */
export const plugName = 'plug0';

/**
 * Makes a link from this network namespace into a sandbox, with addresses and routes here. It goes when the sandbox goes. By
 * iproute2, which needs no right to enter the sandbox. Rejects with ERR_NETLINK.
 */
export async function linkToSandbox(plan: HostLinkPlan): Promise<void> {
  const { exitCode, stderr } = await runProgram(
    { command: ['ip', '-batch', '-'], env: { PATH: administratorSearchPath(), LC_ALL: 'C' } },
    `${printHostLink(plan, hasIPv6()).join('\n')}\n`,
  );
  if (exitCode !== 0) throw new TowtankError({ code: 'ERR_NETLINK', message: `ip -batch: ${stderr.trim()}` });
}

/** The lines of `ip -batch` for a plan; without IPv6 those of IPv6 are left out. */
export function printHostLink({ innerPid, addresses, routes }: HostLinkPlan, withIPv6: boolean): readonly string[] {
  const wanted = (address: string): boolean => withIPv6 || !isV6(withoutPrefixLength(address));
  const noDetection = (address: string): string => (isV6(withoutPrefixLength(address)) ? ' nodad' : '');
  return [
    `link add ${flatLink} type veth peer name ${plugName} netns ${innerPid}`,
    `link set ${flatLink} up`,
    ...addresses.filter(wanted).map((address) => `addr add ${address} dev ${flatLink}${noDetection(address)}`),
    ...routes
      .filter(({ gateway }) => wanted(gateway))
      .map(({ destination, gateway }) => `route add ${destination} via ${gateway} dev ${flatLink}`),
  ];
}

// Container engines switch it off in networks without it, and /proc/sys is read-only there.
function hasIPv6(): boolean {
  try {
    return readFileSync('/proc/sys/net/ipv6/conf/all/disable_ipv6', 'latin1').trim() === '0';
  } catch {
    return false;
  }
}
