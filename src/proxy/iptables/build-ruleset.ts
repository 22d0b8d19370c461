import type { Chain, IptablesRuleset, Table, TableName } from '../../netfilter/iptables/ruleset.ts';
import type { ProxyState } from '../proxy-backend.ts';
import {
  buildForward,
  buildKubeletFirewall,
  buildMarkMasq,
  buildNodePortJumps,
  buildPostrouting,
  type FixedOptions,
} from './build-fixed-chains.ts';
import { buildServiceRules, type ServiceRules } from './build-service-rules.ts';
import { CANARY, EXTERNAL_SERVICES, NODE_PORTS, PROXY_FIREWALL, SERVICES } from './chain-names.ts';
import { JUMPS } from './jumps.ts';
import { isLargeCluster } from './large-cluster.ts';

const BUILT_IN = {
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
} as const;

/** The whole ruleset of a node that had none: what iptables-save prints after a full sync. Services in order of keys. */
export function buildRuleset(state: ProxyState, options: FixedOptions): IptablesRuleset {
  const { node, family } = state;
  const context = { node, largeCluster: isLargeCluster(state.ports.values()) };
  const keys = [...state.ports.keys()].sort();
  const services = keys.map((key) => buildServiceRules(state.ports.get(key)!, context));
  const chain = (table: TableName, name: string): Chain => ({ name, rules: dispatch(services, table, name) });
  const portals = chain('nat', SERVICES);
  const filter = [
    ...[EXTERNAL_SERVICES, NODE_PORTS, PROXY_FIREWALL, SERVICES].map((name) => chain('filter', name)),
    buildForward(node, options),
    buildKubeletFirewall(node),
  ];
  const nat = [
    { name: SERVICES, rules: [...portals.rules, ...buildNodePortJumps(node)] },
    chain('nat', NODE_PORTS),
    buildPostrouting(node),
    buildMarkMasq(node),
    ...services.flatMap(({ chains, endpointChains }) => [...chains, ...endpointChains.map(({ build }) => build())]),
  ];
  const tables = [table('mangle', []), table('filter', filter), table('nat', nat)];
  return { family, tables: new Map(tables.map((built) => [built.name, built])) };
}

function dispatch(services: readonly ServiceRules[], table: TableName, chain: string): Chain['rules'] {
  return services.flatMap((service) =>
    service.dispatch.filter((entry) => entry.table === table && entry.chain === chain).map(({ rule }) => rule),
  );
}

function table(name: keyof typeof BUILT_IN, own: readonly Chain[]): Table {
  const builtIn = BUILT_IN[name].map((from): Chain => {
    const jumps = JUMPS.filter((jump) => jump.table === name && jump.from === from);
    return { name: from, policy: 'ACCEPT', rules: jumps.map(({ rule }) => rule).reverse() };
  });
  const chains = [...builtIn, { name: CANARY, rules: [] }, ...own];
  return { name, chains: new Map(chains.map((chain) => [chain.name, chain])) };
}
