import { SystemCallError } from '../../errors/system-call-error.ts';
import { TowtankError } from '../../errors/towtank-error.ts';
import type { NetworkNamespace } from '../network-namespace.ts';
import { writeSysctl } from '../sysctl.ts';

// A new namespace takes the IPv4 defaults of the host, so nothing may be left to them.
const forwarding = {
  'net.ipv4.ip_forward': 1,
  'net.ipv4.conf.all.rp_filter': 0,
  'net.ipv4.conf.default.rp_filter': 0,
  // A pod that calls itself through a Service is answered on the link that it asked on; that is no detour to tell it about.
  'net.ipv4.conf.all.send_redirects': 0,
  'net.ipv4.conf.default.send_redirects': 0,
} as const;

/** Makes a namespace forward packets. To be called before it has links. */
export function enableForwarding(netns: NetworkNamespace): void {
  for (const [key, value] of Object.entries(forwarding)) writeSysctl(netns, key, value);
  writeIfPresent(netns, 'net.ipv6.conf.all.forwarding', 1);
}

/** Makes a namespace forward packets as a Kubernetes node does; NodePorts on 127.0.0.1 need route_localnet. */
export function enableNode(netns: NetworkNamespace): void {
  enableForwarding(netns);
  writeSysctl(netns, 'net.ipv4.conf.all.route_localnet', 1);
}

/**
 * Lets packets between ports of the namespace's bridges pass iptables and ip6tables, or not. Throws ERR_MISSING_KERNEL_FEATURE
 * when they must and the kernel cannot.
 */
export function filterBridgedPackets(netns: NetworkNamespace, filtered: boolean): void {
  for (const tables of ['iptables', 'ip6tables']) {
    const key = `net.bridge.bridge-nf-call-${tables}`;
    if (writeIfPresent(netns, key, Number(filtered)) || !filtered) continue;
    throw new TowtankError({
      code: 'ERR_MISSING_KERNEL_FEATURE',
      message: 'pods on a bridge need this kernel to pass bridged packets to iptables (CONFIG_BRIDGE_NETFILTER)',
      hint: 'load the module on the host (modprobe br_netfilter), or connect pods with ptp instead of bridge',
    });
  }
}

function writeIfPresent(netns: NetworkNamespace, key: string, value: number): boolean {
  try {
    writeSysctl(netns, key, value);
    return true;
  } catch (error) {
    if (error instanceof SystemCallError && error.errno === 'ENOENT') return false;
    throw error;
  }
}
