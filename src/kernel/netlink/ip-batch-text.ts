import { isIPv6 } from 'node:net';
import { linkType } from './encode-link.ts';
import type {
  AddBridge,
  AddressOperation,
  AddVeth,
  AddVxlan,
  FdbOperation,
  LinkOperation,
  RouteOperation,
  RuleOperation,
  SetBridgePort,
  SetLink,
} from './operations.ts';

/** The program of iproute2 that takes a line, with its options. */
export type BatchProgram = 'ip' | 'ip -6' | 'bridge';

/** Which program carries an operation out; `ip` finds the family by itself wherever an address is named. */
export function batchProgram(operation: LinkOperation): BatchProgram {
  if (operation.kind === 'addFdb' || operation.kind === 'deleteFdb') return 'bridge';
  return 'family' in operation && operation.family === 'ipv6' ? 'ip -6' : 'ip';
}

/** The lines of `ip -batch` (or `bridge -batch`) that carry an operation out. */
export function printBatch(operation: LinkOperation): readonly string[] {
  switch (operation.kind) {
    case 'addBridge':
    case 'addVeth':
    case 'addVxlan':
      return printAddLink(operation);
    case 'setLink':
      return [printSetLink(operation)];
    case 'setBridgePort':
      return [printBridgePort(operation)];
    case 'deleteLink':
      return [`link del dev ${operation.link}`];
    case 'addAddress':
    case 'deleteAddress':
      return [printAddress(operation)];
    case 'addRoute':
    case 'replaceRoute':
    case 'deleteRoute':
      return [printRoute(operation)];
    case 'setNeighbour':
      return [`neigh replace ${operation.address} lladdr ${operation.mac} dev ${operation.link} nud permanent`];
    case 'deleteNeighbour':
      return [`neigh del ${operation.address} dev ${operation.link}`];
    case 'addFdb':
    case 'deleteFdb':
      return [printFdb(operation)];
    case 'addRule':
    case 'deleteRule':
      return [printRule(operation)];
  }
}

function printAddLink(operation: AddBridge | AddVeth | AddVxlan): string[] {
  const { name, mac, mtu, master, up } = operation;
  const add = `link add name ${name}${option('address', mac)}${option('mtu', mtu)} type ${linkType(operation)}`;
  const lines = [`${add}${typeOptions(operation)}`];
  if (master !== undefined || up !== undefined) {
    lines.push(printSetLink({ kind: 'setLink', link: name, ...(master && { master }), ...(up && { up }) }));
  }
  return lines;
}

function typeOptions(operation: AddBridge | AddVeth | AddVxlan): string {
  if (operation.kind === 'addBridge') return ' stp_state 0 mcast_snooping 0';
  if (operation.kind === 'addVxlan') {
    return ` id ${operation.id} local ${operation.local} dstport ${operation.port ?? 4789} nolearning`;
  }
  const { name, mac, mtu, netns } = operation.peer;
  return ` peer name ${name}${option('address', mac)}${option('mtu', mtu)}${option('netns', netns?.path)}`;
}

function printSetLink({ link, up, mac, mtu, master, rename }: SetLink): string {
  const membership = master === null ? ' nomaster' : option('master', master);
  const state = up === undefined ? '' : up ? ' up' : ' down';
  return `link set dev ${link}${option('name', rename)}${option('address', mac)}${option('mtu', mtu)}${membership}${state}`;
}

function printBridgePort({ link, state, hairpin, isolated, learning }: SetBridgePort): string {
  const flags = { hairpin, learning, isolated };
  const words = Object.entries(flags).map(([name, on]) =>
    option(name, on === undefined ? undefined : on ? 'on' : 'off'),
  );
  return `link set dev ${link} type bridge_slave${option('state', state)}${words.join('')}`;
}

function printAddress(operation: AddressOperation): string {
  const { kind, address, link } = operation;
  if (kind === 'deleteAddress') return `addr del ${address} dev ${link}`;
  const flags = [
    option('label', operation.label),
    option('scope', operation.scope),
    isIPv6(address.split('/')[0]!) ? ' nodad' : '',
    operation.noPrefixRoute ? ' noprefixroute' : '',
    operation.deprecated ? ' preferred_lft 0' : '',
  ];
  return `addr add ${address} dev ${link}${flags.join('')}`;
}

function printRoute(operation: RouteOperation): string {
  const verb = { addRoute: 'add', replaceRoute: 'replace', deleteRoute: 'del' }[operation.kind];
  const type = operation.type === undefined ? '' : `${operation.type} `;
  const hops = (operation.nextHops ?? []).map(
    ({ gateway, link, weight }) => ` nexthop via ${gateway}${option('dev', link)}${option('weight', weight)}`,
  );
  const words = [
    option('via', operation.gateway),
    option('dev', operation.link),
    operation.kind === 'deleteRoute' ? '' : ' proto static',
    option('src', operation.source),
    option('metric', operation.metric),
    option('mtu', operation.mtu),
    option('table', operation.table),
    operation.onLink ? ' onlink' : '',
    ...hops,
  ];
  return `route ${verb} ${type}${operation.destination}${words.join('')}`;
}

function printFdb({ kind, link, mac, destination }: FdbOperation): string {
  const verb = kind === 'addFdb' ? 'append' : 'del';
  const where = destination === undefined ? ' master static' : ` dst ${destination} self permanent`;
  return `fdb ${verb} ${mac} dev ${link}${where}`;
}

function printRule(operation: RuleOperation): string {
  const { kind, from, to, mark, mask, inputLink, uid, table, priority } = operation;
  const selector = mark === undefined ? '' : ` fwmark ${mark}${mask === undefined ? '' : `/${mask}`}`;
  const words = `${option('from', from)}${option('to', to)}${selector}${option('iif', inputLink)}${option('uidrange', uid === undefined ? undefined : `${uid}-${uid}`)}`;
  return `rule ${kind === 'addRule' ? 'add' : 'del'}${words} lookup ${table} priority ${priority}`;
}

function option(name: string, value: string | number | undefined): string {
  return value === undefined ? '' : ` ${name} ${value}`;
}
