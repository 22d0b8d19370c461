import { joinName } from '../wire/name.ts';
import type { ServiceEntry } from './cluster-state.ts';
import { endpointHostname, type SliceFacts } from './facts.ts';
import { slicesOf, type ZoneView } from './find-services.ts';

export interface NameServer {
  /** Absolute. */
  readonly name: string;
  readonly address: string;
}

/**
 * The name servers of a cluster zone: the Services that have one of the server's own addresses as an endpoint, or, when
 * there is none, `ns.dns` with these addresses.
 */
export function nameServers(view: ZoneView, ownAddresses: readonly string[], zone: string): readonly NameServer[] {
  const servers: NameServer[] = [];
  let known = false;
  for (const [entry, slice] of ownSlices(view, ownAddresses)) {
    known = true;
    servers.push(...serversOf(view, { entry, slice, zone }));
  }
  if (known) return servers;
  return ownAddresses.map((address) => ({ name: joinName('ns.dns', zone), address }));
}

/** Every slice that holds one of the addresses, with the entry that it belongs to. */
export function* ownSlices(
  view: ZoneView,
  ownAddresses: readonly string[],
): IterableIterator<readonly [ServiceEntry, SliceFacts]> {
  for (const ip of ownAddresses) {
    for (const entry of view.state.servicesWithEndpoint(ip)) {
      for (const slice of slicesOf(view, entry)) {
        if (slice.addresses.some((address) => address.ip === ip)) yield [entry, slice];
      }
    }
  }
}

function serversOf(
  view: ZoneView,
  { entry, slice, zone }: { entry: ServiceEntry; slice: SliceFacts; zone: string },
): readonly NameServer[] {
  const service = `${entry.name}.${entry.namespace}.svc`;
  if (entry.facts === undefined) return [];
  if (!entry.facts.headless) {
    return entry.facts.clusterIPs.map((address) => ({ name: joinName(service, zone), address }));
  }
  return slice.addresses.map((address) => ({
    name: joinName(`${endpointHostname(address, view.options.endpointPodNames)}.${service}`, zone),
    address: address.ip,
  }));
}
