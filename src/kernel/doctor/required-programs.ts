import { UserError } from '../../errors/towtank-error.ts';
import { administratorSearchPath, findExecutable } from '../programs/find-executable.ts';

export interface RequiredProgram {
  readonly name: string;
  /** As Debian and Ubuntu call it; Fedora and Alpine mostly agree. */
  readonly package: string;
  readonly required: boolean;
  readonly costs: string;
  /** Arguments that make it print its version; default `--version`. */
  readonly version?: readonly string[];
}

/** The programs that towtank runs. */
export const requiredPrograms: readonly RequiredProgram[] = [
  { name: 'unshare', package: 'util-linux', required: true, costs: 'no cluster starts' },
  { name: 'nsenter', package: 'util-linux', required: true, costs: 'no cluster can be entered: exec, shell' },
  { name: 'mount', package: 'mount', required: true, costs: 'pods have no /proc of their own' },
  { name: 'setpriv', package: 'util-linux', required: false, costs: 'no tier but the full one' },
  { name: 'setsid', package: 'util-linux', required: false, costs: 'no terminals: exec -t, shell' },
  { name: 'iptables', package: 'iptables', required: true, costs: 'no proxy mode iptables' },
  { name: 'iptables-restore', package: 'iptables', required: true, costs: 'no proxy mode iptables' },
  { name: 'ip6tables-restore', package: 'iptables', required: true, costs: 'no proxy mode iptables for IPv6' },
  { name: 'iptables-legacy', package: 'iptables', required: false, costs: 'no legacy back end of iptables' },
  { name: 'nft', package: 'nftables', required: false, costs: 'no proxy mode nftables, no network faults' },
  {
    name: 'conntrack',
    package: 'conntrack',
    required: false,
    costs: 'nothing of towtank; no looking at flows by hand',
  },
  {
    name: 'ip',
    package: 'iproute2',
    required: false,
    version: ['-V'],
    costs: 'no netns-scripts, and no fallback for netlink',
  },
  { name: 'tc', package: 'iproute2', required: false, version: ['-V'], costs: 'no bandwidth limits' },
  { name: 'curl', package: 'curl', required: false, costs: 'no curl in pods and for the outside client' },
];

/**
 * Throws ERR_MISSING_PROGRAM, with the package of each in the hint, if one of these programs is missing: what needs them asks
 * before it builds anything. Takes microseconds.
 */
export function requirePrograms(names: readonly string[]): void {
  const missing = names.filter((name) => !hasProgram(name));
  if (missing.length === 0) return;
  const packages = new Set(missing.map(packageOf));
  throw new UserError({
    code: 'ERR_MISSING_PROGRAM',
    message: `this machine lacks ${missing.join(', ')}`,
    hint: `install ${[...packages].join(' and ')}; towtank doctor shows everything that is missing`,
  });
}

// All programs of the iptables family come together.
function packageOf(name: string): string {
  const known = requiredPrograms.find((program) => program.name === name);
  return known?.package ?? (/^ip6?tables/.test(name) ? 'iptables' : name);
}

/** Whether a program can be found where administrators have theirs. */
export function hasProgram(name: string): boolean {
  try {
    findExecutable(name, administratorSearchPath(), '/');
    return true;
  } catch {
    return false;
  }
}
