import { overlaps, parsePrefix } from '../netfilter/address.ts';
import { type ProxyConfig, rulesModeOf } from './config/proxy-config.ts';
import { conntrackSettings } from './conntrack/conntrack-sysctls.ts';

/** Kernel parameters of one network namespace (`net.ipv4.conf.all.route_localnet`). */
export interface ProxySysctl {
  /** Undefined when the kernel lacks it. */
  read(key: string): string | undefined;
  write(key: string, value: string): void;
}

const LOOPBACK = parsePrefix('127.0.0.0/8')!;
const LIBERAL = 'net.netfilter.nf_conntrack_tcp_be_liberal';

export interface PrepareOptions {
  readonly config: ProxyConfig;
  readonly sysctl: ProxySysctl;
  /** Number of processors, for the size of the connection table; undefined leaves the settings of connection tracking alone. */
  readonly processors: number | undefined;
  readonly onRefused: (key: string, error: unknown) => void;
}

/** Sets the kernel parameters that a proxy needs and tells what rules depend on. Throws when route_localnet cannot be set. */
export function prepareKernel(options: PrepareOptions): { readonly conntrackTcpBeLiberal: boolean } {
  const { config, sysctl, processors } = options;
  if (rulesModeOf(config) === 'iptables' && config.localhostNodePorts && includesLoopback(config.nodePortAddresses)) {
    sysctl.write('net.ipv4.conf.all.route_localnet', '1');
  }
  if (processors !== undefined) setConntrack(options, processors);
  return { conntrackTcpBeLiberal: (sysctl.read(LIBERAL) ?? '0') !== '0' };
}

// Only the first network namespace of a machine may change the size; a proxy elsewhere works without.
function setConntrack({ config, sysctl, onRefused }: PrepareOptions, processors: number): void {
  for (const { key, value, atLeast } of conntrackSettings(config.conntrack, processors)) {
    const present = Number(sysctl.read(key) ?? Number.NaN);
    if (present === value || (atLeast && present > value)) continue;
    try {
      sysctl.write(key, String(value));
    } catch (error) {
      onRefused(key, error);
    }
  }
}

// A list without a CIDR of IPv4 says nothing about IPv4: node ports answer on all its addresses then.
function includesLoopback(nodePortAddresses: readonly string[]): boolean {
  if (nodePortAddresses.includes('primary')) return false;
  const own = nodePortAddresses.map(parsePrefix).filter((prefix) => prefix?.family === 'ipv4');
  return own.length === 0 || own.some((prefix) => overlaps(prefix!, LOOPBACK));
}
