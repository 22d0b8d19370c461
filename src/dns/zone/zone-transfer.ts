import { parseIp } from '../wire/ip.ts';
import { absoluteName, joinName } from '../wire/name.ts';
import { addressRecord, nameRecord, type ResourceRecord, srvRecord } from '../wire/record.ts';
import { RecordType } from '../wire/record-type.ts';
import { zoneSoa } from './answer-question.ts';
import type { ServiceEntry } from './cluster-state.ts';
import { endpointHostname, type PortFacts } from './facts.ts';
import { isExposed, slicesOf, type ZoneView } from './find-services.ts';
import { nameServers } from './name-servers.ts';

/**
 * All records of a cluster zone in the order of CoreDNS's AXFR: SOA, NS and glue, the Services by name, SOA. With a serial
 * that is the current one the SOA alone: there is nothing new.
 */
export function transferZone(
  view: ZoneView,
  zone: string,
  { serial, ownAddresses }: { readonly serial: number; readonly ownAddresses: readonly string[] },
): readonly ResourceRecord[] {
  const multicluster = view.options.multiclusterZones.includes(zone);
  const { modified } = view.state;
  const soa = zoneSoa(view, zone);
  if (serial !== 0 && serial === (multicluster ? modified.multicluster : modified.internal)) return [soa];
  const entries = [...(multicluster ? view.state.serviceImports() : view.state.services())]
    .filter((entry) => entry.facts !== undefined && isExposed(view, entry.namespace))
    .sort((a, b) => compare(a.name, b.name) || compare(a.namespace, b.namespace));
  return [
    soa,
    ...nameServerRecords(view, zone, ownAddresses),
    ...entries.flatMap((e) => recordsOf(view, zone, e)),
    soa,
  ];
}

function nameServerRecords(view: ZoneView, zone: string, ownAddresses: readonly string[]): readonly ResourceRecord[] {
  const servers = nameServers(view, ownAddresses, zone);
  const names = [...new Set(servers.map(({ name }) => name))];
  const glue = new Map(servers.map(({ name, address }) => [`${name} ${address}`, addressRecord(name, 0, address)]));
  return [
    ...names.map((name) => nameRecord(zone, RecordType.NS, view.options.ttl, name)),
    ...[...glue.values()].filter((record) => record !== undefined),
  ];
}

function recordsOf(view: ZoneView, zone: string, entry: ServiceEntry): readonly ResourceRecord[] {
  const { ttl } = view.options;
  const base = joinName(`${entry.name}.${entry.namespace}.svc`, zone);
  const { clusterIPs, externalName, external, ports } = entry.facts!;
  if (external) {
    const literal = parseIp(externalName) !== undefined;
    return literal ? [] : [nameRecord(base, RecordType.CNAME, ttl, absoluteName(externalName))];
  }
  if (parseIp(clusterIPs[0] ?? '') === undefined) return endpointRecords(view, base, entry);
  const addresses = clusterIPs.flatMap((ip) => addressRecord(base, ttl, ip) ?? []);
  const services = ports.flatMap((port) => {
    const data = { priority: 0, weight: 100, port: port.port, target: base };
    const bare = srvRecord(base, ttl, data);
    return port.name === '' ? [bare] : [bare, srvRecord(portName(port, base), ttl, data)];
  });
  return [...addresses, ...services];
}

function endpointRecords(view: ZoneView, base: string, entry: ServiceEntry): readonly ResourceRecord[] {
  const { ttl, endpointPodNames } = view.options;
  return [...slicesOf(view, entry)].flatMap((slice) => {
    const weight = Math.max(1, Math.floor((100 / (100 * slice.addresses.length)) * 100));
    return slice.addresses.flatMap((address) => {
      const host = `${endpointHostname(address, endpointPodNames)}.${base}`;
      const records = [addressRecord(base, ttl, address.ip), addressRecord(host, ttl, address.ip)];
      const services = slice.ports
        .filter(({ name }) => name !== '')
        .map((port) => srvRecord(portName(port, base), ttl, { priority: 0, weight, port: port.port, target: host }));
      return [...records.filter((record) => record !== undefined), ...services];
    });
  });
}

function portName({ name, protocol }: PortFacts, base: string): string {
  return `_${name}._${protocol}`.toLowerCase().concat('.', base);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
