import { hash } from 'node:crypto';
import type { ServicePort } from '../facts/service-port.ts';

/** Chains that all Services share, and the canary. The names are kube-proxy's. */
export const SERVICES = 'KUBE-SERVICES';
export const EXTERNAL_SERVICES = 'KUBE-EXTERNAL-SERVICES';
export const NODE_PORTS = 'KUBE-NODEPORTS';
export const PROXY_FIREWALL = 'KUBE-PROXY-FIREWALL';
export const FORWARD = 'KUBE-FORWARD';
export const POSTROUTING = 'KUBE-POSTROUTING';
export const MARK_MASQ = 'KUBE-MARK-MASQ';
/** Shared with the kubelet: clean-up leaves it. */
export const KUBELET_FIREWALL = 'KUBE-FIREWALL';
/** Empty chain in three tables; when it is gone somebody flushed our rules. */
export const CANARY = 'KUBE-PROXY-CANARY';

/** Chains of one ServicePort, all in table nat. */
export interface ServiceChains {
  /** KUBE-SVC-: endpoints of policy Cluster. */
  readonly cluster: string;
  /** KUBE-SVL-: endpoints of policy Local. */
  readonly local: string;
  /** KUBE-EXT-: traffic to node port, external IP, load balancer. */
  readonly external: string;
  /** KUBE-FW-: source ranges. */
  readonly firewall: string;
}

/** Chain names of a ServicePort: kube-proxy's hash of its name and protocol. */
export function serviceChains(port: ServicePort): ServiceChains {
  const name = hash16(port.text + port.protocol);
  return {
    cluster: `KUBE-SVC-${name}`,
    local: `KUBE-SVL-${name}`,
    external: `KUBE-EXT-${name}`,
    firewall: `KUBE-FW-${name}`,
  };
}

// All proxies of a process ask for the same names, again at each change.
const endpointChains = new WeakMap<ServicePort, Map<string, string>>();
// Endpoints come and go: forgotten all together before the names of gone ones are too many.
const MOST_NAMES = 10_000;

/** KUBE-SEP-: the chain of one endpoint (`ip:port`) of a ServicePort. */
export function endpointChain(port: ServicePort, address: string): string {
  let names = endpointChains.get(port);
  if (names === undefined || names.size >= MOST_NAMES) {
    names = new Map();
    endpointChains.set(port, names);
  }
  let name = names.get(address);
  if (name === undefined) {
    name = `KUBE-SEP-${hash16(port.text + port.protocol + address)}`;
    names.set(address, name);
  }
  return name;
}

/** True for chains that belong to one Service: what clean-up and the search for stale chains may delete. */
export function isServiceChain(name: string): boolean {
  return /^KUBE-(SVC|SVL|SEP|FW|EXT|XLB)-/.test(name);
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** First 16 characters of the base32 of the SHA-256: ten bytes in groups of five bits. */
export function hash16(text: string): string {
  const digest = hash('sha256', text, 'buffer');
  let out = '';
  for (let group = 0; group < 10; group += 5) {
    const high = (digest[group]! << 12) | (digest[group + 1]! << 4) | (digest[group + 2]! >> 4);
    const low = ((digest[group + 2]! & 15) << 16) | (digest[group + 3]! << 8) | digest[group + 4]!;
    for (const bits of [high, low]) {
      out +=
        ALPHABET[(bits >> 15) & 31]! +
        ALPHABET[(bits >> 10) & 31]! +
        ALPHABET[(bits >> 5) & 31]! +
        ALPHABET[bits & 31]!;
    }
  }
  return out;
}
