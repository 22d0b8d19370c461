import { withoutPrefixLength } from '../ffi/ip-bytes.ts';
import type { LinkOperation, RuleOperation } from '../netlink/operations.ts';
import { hostPrefix, isV6 } from './addresses.ts';

/** The ranges of a flat network: the addresses of nodes, pods and Services, one prefix per family each. */
export interface FlatRanges {
  readonly nodes: readonly string[];
  readonly pods: readonly string[];
  readonly services: readonly string[];
}

/** Who sends: the routes of a place, and whether it knows pods and Services. */
export interface FlatSender {
  /** Its user id, which is also the number of its routing table. */
  readonly uid: number;
  readonly addresses: readonly string[];
  /** False for what stands outside of the cluster: pods and Services are unreachable, as without a route to them. */
  readonly isInside: boolean;
}

/** The link that every address of a flat network is on, but for the first node's. */
export const flatLink = 'towtank0';
/** By it the first node's IPv4 address on `lo` is known again. */
export const masqueradeLabel = 'lo:towtank';

const LOCAL_TABLE = 255;
/** Rules are asked in this order: the places', that of everybody else, and only then the kernel's own table of local addresses. */
export const rulePriorities = { place: 1100, everybody: 1900, local: 2000 } as const;
const families = ['ipv4', 'ipv6'] as const;

/**
 * The link, and the kernel's table of local addresses behind the senders' own: it would make the destination's address the
 * source of whatever is sent to an address of this machine.
 */
export function buildFlatLink(): LinkOperation[] {
  return [{ kind: 'addBridge', name: flatLink, up: true }, ...families.flatMap((family) => moveLocal(family))];
}

function moveLocal(family: RuleOperation['family']): LinkOperation[] {
  return [
    { kind: 'addRule', family, priority: rulePriorities.local, table: LOCAL_TABLE },
    { kind: 'deleteRule', family, priority: 0, table: LOCAL_TABLE },
  ];
}

/** The addresses of one place on the flat link. */
export function buildFlatAddresses(
  addresses: readonly string[],
  kind: 'addAddress' | 'deleteAddress',
): LinkOperation[] {
  return addresses.map((address) => ({ kind, link: flatLink, address: hostPrefix(address), noPrefixRoute: true }));
}

/**
 * The first node's addresses are on `lo`: what is masqueraded on its way to an address of this machine leaves by `lo`, and takes
 * the first global address there as its source.
 */
export function buildMasqueradeAddresses(addresses: readonly string[]): LinkOperation[] {
  return addresses.map((address) => ({
    kind: 'addAddress',
    link: 'lo',
    address: hostPrefix(address),
    noPrefixRoute: true,
    ...(isV6(address) ? {} : { label: masqueradeLabel }),
  }));
}

/** Routes that let what a sender's programs send come from its own addresses. */
export function buildSender(sender: FlatSender, ranges: FlatRanges): LinkOperation[] {
  return [
    ...routesOf(sender, ranges, 'addRoute'),
    ...familiesOf(sender).map((family) => ruleOf(sender, family, 'addRule', { uid: sender.uid })),
  ];
}

/** The opposite of `buildSender`. */
export function buildSenderRemoval(sender: FlatSender, ranges: FlatRanges): LinkOperation[] {
  return [
    ...familiesOf(sender).map((family) => ruleOf(sender, family, 'deleteRule', { uid: sender.uid })),
    ...routesOf(sender, ranges, 'deleteRoute'),
  ];
}

/** The same for whoever is no place: the shell of the container itself. */
export function buildEverybody(sender: FlatSender, ranges: FlatRanges): LinkOperation[] {
  return [
    ...routesOf(sender, ranges, 'addRoute'),
    ...familiesOf(sender).map((family) => ruleOf(sender, family, 'addRule', { inputLink: 'lo' })),
  ];
}

function ruleOf(
  { uid }: FlatSender,
  family: RuleOperation['family'],
  kind: RuleOperation['kind'],
  selector: Pick<RuleOperation, 'uid' | 'inputLink'>,
): RuleOperation {
  const priority = selector.uid === undefined ? rulePriorities.everybody : rulePriorities.place;
  return { kind, family, priority, table: uid, ...selector };
}

// A Service's address must not be local: its packets leave by the link unless a rule of the proxy sends them elsewhere.
function routesOf(sender: FlatSender, ranges: FlatRanges, kind: 'addRoute' | 'deleteRoute'): LinkOperation[] {
  const { addresses, uid: table, isInside } = sender;
  const sourceFor = (range: string) => addresses.find((address) => isV6(address) === isV6(withoutPrefixLength(range)));
  const routes = (list: readonly string[], to: (source: string) => object): LinkOperation[] =>
    list.flatMap((destination) => {
      const source = sourceFor(destination);
      return source === undefined ? [] : [{ kind, destination, table, ...to(source) } as LinkOperation];
    });
  const here = (source: string) => ({ type: 'local', link: 'lo', source });
  const nowhere = () => ({ type: 'unreachable' });
  return [
    ...routes(ranges.nodes, here),
    ...routes(ranges.pods, isInside ? here : nowhere),
    ...routes(ranges.services, isInside ? (source) => ({ link: flatLink, source }) : nowhere),
  ];
}

function familiesOf({ addresses }: FlatSender): readonly RuleOperation['family'][] {
  return families.filter((family) => addresses.some((address) => isV6(address) === (family === 'ipv6')));
}
