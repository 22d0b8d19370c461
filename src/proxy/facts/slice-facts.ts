import type { EndpointSlice, Endpoint as EndpointSpec } from '../../kube/generated/types.ts';
import { canonicalAddress, familyOf, joinHostPort } from '../../netfilter/address.ts';
import type { Family } from '../../netfilter/runner.ts';
import type { Endpoint } from './endpoint.ts';
import { isPort, type Protocol, protocolOf } from './protocol.ts';

/** Name of the label that ties a slice to its Service. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

/** What proxies keep of one EndpointSlice. */
export interface SliceFacts {
  readonly family: Family;
  /** `namespace/name` of the Service. */
  readonly service: string;
  readonly ports: readonly { readonly name: string; readonly protocol: Protocol; readonly port: number }[];
  /** Endpoints without port. */
  readonly hosts: readonly Omit<Endpoint, 'port' | 'address'>[];
}

/** True when two states of a slice say the same. */
export function isSameSlice(a: SliceFacts | undefined, b: SliceFacts | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    a.family === b.family &&
    a.service === b.service &&
    a.ports.length === b.ports.length &&
    a.ports.every((port, index) => isSamePort(port, b.ports[index]!)) &&
    a.hosts.length === b.hosts.length &&
    a.hosts.every((host, index) => isSameHost(host, b.hosts[index]!))
  );
}

function isSamePort(a: SliceFacts['ports'][number], b: SliceFacts['ports'][number]): boolean {
  return a.name === b.name && a.protocol === b.protocol && a.port === b.port;
}

/** True when two hosts agree in everything. */
export function isSameHost(a: SliceFacts['hosts'][number], b: SliceFacts['hosts'][number]): boolean {
  return (
    a.ip === b.ip &&
    a.nodeName === b.nodeName &&
    a.ready === b.ready &&
    a.serving === b.serving &&
    a.terminating === b.terminating &&
    isSameList(a.zoneHints, b.zoneHints) &&
    isSameList(a.nodeHints, b.nodeHints)
  );
}

/** True when two lists hold the same values in the same order. */
export function isSameList<T>(a: readonly T[], b: readonly T[]): boolean {
  return a === b || (a.length === b.length && a.every((value, index) => value === b[index]));
}

/** Told of each address that is skipped. `wrongFamily`: it is valid, but not of the slice's addressType. */
export type SkippedAddress = (address: string, why: 'invalid' | 'wrongFamily') => void;

/** Reads an EndpointSlice; undefined when it belongs to no Service or holds host names. */
export function readSlice(slice: EndpointSlice, onSkipped: SkippedAddress): SliceFacts | undefined {
  const name = slice.metadata?.labels?.[SERVICE_NAME_LABEL];
  const family = slice.addressType === 'IPv4' ? 'ipv4' : slice.addressType === 'IPv6' ? 'ipv6' : undefined;
  if (!name || family === undefined) return undefined;
  return {
    family,
    service: `${slice.metadata?.namespace ?? ''}/${name}`,
    ports: (slice.ports ?? []).flatMap(({ name: portName, protocol: text, port }) => {
      const protocol = protocolOf(text);
      return portName === undefined || portName === null || protocol === undefined || !isPort(port)
        ? []
        : [{ name: portName, protocol, port }];
    }),
    hosts: (slice.endpoints ?? []).flatMap((endpoint) => readHost(endpoint, family, onSkipped) ?? []),
  };
}

// Only the first address counts: the API reserves the others.
function readHost(
  { addresses, conditions = {}, hints, nodeName }: EndpointSpec,
  family: Family,
  onSkipped: SkippedAddress,
): SliceFacts['hosts'][number] | undefined {
  // A server that is lax may leave the list out.
  const text = addresses?.[0] ?? '';
  const ip = canonicalAddress(text);
  if (ip === undefined || familyOf(ip) !== family) {
    onSkipped(text, ip === undefined ? 'invalid' : 'wrongFamily');
    return undefined;
  }
  return {
    ip,
    nodeName: nodeName ?? undefined,
    ready: conditions.ready ?? true,
    serving: conditions.serving ?? true,
    terminating: conditions.terminating ?? false,
    zoneHints: namesOf(hints?.forZones),
    nodeHints: namesOf(hints?.forNodes),
  };
}

// One array for the many endpoints without hints.
const NONE: readonly string[] = [];

function namesOf(hints: readonly { readonly name: string }[] | undefined): readonly string[] {
  return hints === undefined || hints.length === 0 ? NONE : hints.map(({ name }) => name);
}

/** The endpoint of a host at one port. */
export function endpointAt(host: SliceFacts['hosts'][number], port: number): Endpoint {
  return { ...host, port, address: joinHostPort(host.ip, port) };
}
