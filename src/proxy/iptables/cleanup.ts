import {
  CANARY,
  EXTERNAL_SERVICES,
  FORWARD,
  isServiceChain,
  KUBELET_FIREWALL,
  MARK_MASQ,
  NODE_PORTS,
  POSTROUTING,
  PROXY_FIREWALL,
  SERVICES,
} from './chain-names.ts';
import type { ExistingRules } from './existing-rules.ts';
import type { RestoreScript } from './restore-script.ts';

const OWNED: Readonly<Record<'filter' | 'nat' | 'mangle', readonly string[]>> = {
  filter: [SERVICES, EXTERNAL_SERVICES, FORWARD, NODE_PORTS, PROXY_FIREWALL, CANARY],
  nat: [SERVICES, NODE_PORTS, POSTROUTING, CANARY],
  mangle: [CANARY],
};

/** Chains that kubelets write as well. */
const SHARED: typeof OWNED = { filter: [KUBELET_FIREWALL], nat: [MARK_MASQ], mangle: [] };
const KUBELET_CANARY = 'KUBE-KUBELET-CANARY';

/**
 * Removes all that a proxy in iptables mode leaves behind. KUBE-FIREWALL and KUBE-MARK-MASQ stay where a kubelet is, whose
 * they are then too; kube-proxy --cleanup leaves them everywhere.
 */
export function writeCleanup(script: RestoreScript, existing: ExistingRules): void {
  const hasKubelet = existing.chains.get('mangle')?.has(KUBELET_CANARY) === true;
  for (const table of ['filter', 'nat', 'mangle'] as const) {
    const owned = hasKubelet ? OWNED[table] : [...OWNED[table], ...SHARED[table]];
    // Others have chains and jumps of this prefix too: kube-router's KUBE-ROUTER-INPUT for one.
    const jumps = (existing.jumps.get(table) ?? []).filter((line) =>
      owned.includes(/^.* -j (\S+)/.exec(line)?.[1] ?? ''),
    );
    script.rules(
      table,
      jumps.map((line) => `-D ${line}`),
    );
    for (const name of existing.chains.get(table) ?? []) {
      if (owned.includes(name) || (table === 'nat' && isServiceChain(name))) script.deleteChain(table, name);
    }
  }
}
