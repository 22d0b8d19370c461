import {
  CANARY,
  EXTERNAL_SERVICES,
  FORWARD,
  isServiceChain,
  KUBELET_FIREWALL,
  NODE_PORTS,
  POSTROUTING,
  PROXY_FIREWALL,
  SERVICES,
} from './chain-names.ts';
import type { ExistingRules } from './existing-rules.ts';
import type { RestoreScript } from './restore-script.ts';

const OWNED = {
  filter: [SERVICES, EXTERNAL_SERVICES, FORWARD, NODE_PORTS, PROXY_FIREWALL, CANARY],
  nat: [SERVICES, NODE_PORTS, POSTROUTING, CANARY],
  mangle: [CANARY],
} as const;

/** Removes all that a proxy in iptables mode leaves behind, as kube-proxy --cleanup: KUBE-FIREWALL and KUBE-MARK-MASQ stay,
 * they may be the kubelet's. */
export function writeCleanup(script: RestoreScript, existing: ExistingRules): void {
  for (const table of ['filter', 'nat', 'mangle'] as const) {
    const chains = existing.chains.get(table) ?? new Set();
    const jumps = (existing.jumps.get(table) ?? []).filter((line) => !line.includes(`-j ${KUBELET_FIREWALL}`));
    script.rules(
      table,
      jumps.map((line) => `-D ${line}`),
    );
    for (const name of chains) {
      const owned = (OWNED[table] as readonly string[]).includes(name) || (table === 'nat' && isServiceChain(name));
      if (owned) script.deleteChain(table, name);
    }
  }
}
