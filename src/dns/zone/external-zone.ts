import { addressOfReverse, parseIp } from '../wire/ip.ts';
import { joinName, splitLabels } from '../wire/name.ts';
import type { ServiceEntry } from './cluster-state.ts';
import { endpointHostname } from './facts.ts';
import { type Finding, type Found, isExposed, slicesOf, type ZoneView } from './find-services.ts';
import { type NameServer, ownSlices } from './name-servers.ts';

interface ExternalRequest {
  readonly namespace: string;
  readonly service: string;
  readonly endpoint: string;
  readonly port: string;
  readonly protocol: string;
}

/** Finds what a lower-case name in a k8s_external zone stands for; `servfail` for the apex, which has no Service. */
export function findExternal(
  view: ZoneView,
  name: string,
  { zone, headless }: { zone: string; headless: boolean },
): Finding {
  const labels = splitLabels(name.slice(0, Math.max(0, name.length - zone.length - 1)));
  const namespace = labels.pop() ?? '';
  if (!isExposed(view, namespace)) return 'name-error';
  const service = labels.pop();
  if (service === undefined) return [];
  if (labels.length > 2) return 'name-error';
  const [first = '', second = ''] = labels.map((label) => label.replace(/^_/, ''));
  const pair = labels.length === 2;
  const request = {
    ...{ namespace, service },
    endpoint: labels.length === 1 ? first : '',
    port: pair ? first : '',
    protocol: pair ? second : '',
  };
  const entry = view.state.service(namespace, service);
  const found = entry?.facts === undefined ? [] : foundOf(view, entry, { request, headless });
  return found.length === 0 ? 'name-error' : found;
}

/** The Services that have an address as external or load balancer IP, as `name.namespace`. */
export function externalPointers(view: ZoneView, name: string): readonly string[] | undefined {
  const ip = addressOfReverse(name);
  if (ip === undefined) return undefined;
  return [...view.state.servicesWithExternalIp(ip)]
    .filter(({ namespace }) => view.options.namespaces.length === 0 || isExposed(view, namespace))
    .map((entry) => `${entry.name}.${entry.namespace}`);
}

/** The addresses under which this server can be reached from outside, each with the name of its Service. */
export function externalNameServers(
  view: ZoneView,
  ownAddresses: readonly string[],
  { zone, headless }: { zone: string; headless: boolean },
): readonly NameServer[] {
  const slices = [...ownSlices(view, ownAddresses)];
  if (slices.length === 0) return ownAddresses.map((address) => ({ name: joinName('ns.dns', zone), address }));
  return slices.flatMap(([entry, slice]) => {
    if (entry.facts === undefined) return [];
    const name = joinName(`${entry.name}.${entry.namespace}`, zone);
    if (!headless || !entry.facts.headless) return entry.facts.externalIPs.map((address) => ({ name, address }));
    return slice.addresses.map((address) => ({
      name: `${endpointHostname(address, view.options.endpointPodNames)}.${name}`,
      address: address.ip,
    }));
  });
}

/** Everything that a Service shows outside, for a transfer. */
export function externalOf(view: ZoneView, entry: ServiceEntry, headless: boolean): readonly Found[] {
  const { namespace, name: service } = entry;
  const request = { namespace, service, endpoint: '', port: '', protocol: '' };
  return entry.facts === undefined ? [] : foundOf(view, entry, { request, headless });
}

function foundOf(
  view: ZoneView,
  entry: ServiceEntry,
  { request, headless }: { request: ExternalRequest; headless: boolean },
): readonly Found[] {
  const facts = entry.facts!;
  const base = `${entry.name}.${entry.namespace}`;
  if (headless && facts.externalIPs.length === 0 && (facts.headless || request.endpoint !== '')) {
    return endpointsOf(view, entry, request);
  }
  return facts.externalIPs.flatMap((host) =>
    facts.ports
      .filter((port) => matches(request, port))
      .map(({ port }) => ({ host, external: parseIp(host) === undefined, port, key: base })),
  );
}

function endpointsOf(view: ZoneView, entry: ServiceEntry, request: ExternalRequest): readonly Found[] {
  const found: Found[] = [];
  for (const slice of slicesOf(view, entry)) {
    for (const address of slice.addresses) {
      const host = endpointHostname(address, view.options.endpointPodNames);
      if (request.endpoint !== '' && request.endpoint !== host.toLowerCase()) continue;
      const key = `${host}.${entry.name}.${entry.namespace}`;
      for (const port of slice.ports) {
        if (matches(request, port)) found.push({ host: address.ip, external: false, port: port.port, key });
      }
    }
  }
  return found;
}

function matches({ port, protocol }: ExternalRequest, offered: { name: string; protocol: string }): boolean {
  const named = port === '' || port === offered.name.toLowerCase();
  return named && (protocol === '' || protocol === offered.protocol.toLowerCase());
}
