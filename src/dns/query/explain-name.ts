import { addressOfReverse } from '../wire/ip.ts';
import { matchZone } from '../wire/name.ts';
import { printRecordType, RecordType } from '../wire/record-type.ts';
import { pointersTo } from '../zone/answer-question.ts';
import type { ServiceEntry } from '../zone/cluster-state.ts';
import { findServices, isExposed, slicesOf, type ZoneView } from '../zone/find-services.ts';
import { parseRequest, type RecordRequest } from '../zone/parse-request.ts';

/** Says in Kubernetes words why a cluster DNS answers a question as it does; undefined for names outside its zones. */
export function explainName(view: ZoneView, name: string, type: number): string | undefined {
  const lower = name.toLowerCase();
  const zone = matchZone(view.options.zones, lower);
  if (zone === undefined) return undefined;
  if (zone.endsWith('.arpa.')) return explainReverse(view, lower);
  const multicluster = view.options.multiclusterZones.includes(zone);
  const request = parseRequest(lower, zone, { multicluster, zonal: view.options.zonal });
  if (request === undefined) return explainShape(lower, zone);
  if (request.kind === '')
    return `${name} is a branch of the cluster's zone: it exists, but only its SOA and NS are there`;
  if (!isExposed(view, request.namespace)) return `there is no namespace ${request.namespace}`;
  if (request.service === '') return `namespace ${request.namespace} exists: a branch without records of its own`;
  if (request.kind === 'pod') return explainPod(view, request);
  const { state } = view;
  const { namespace, service } = request;
  const entry = multicluster ? state.serviceImport(namespace, service) : state.service(namespace, service);
  if (entry?.facts === undefined) return `there is no Service ${service} in namespace ${namespace}`;
  return explainService(view, entry, { request, type, name: lower, zone });
}

function explainShape(name: string, zone: string): string {
  const labels = name.slice(0, -zone.length - 1).split('.');
  const kind = labels.at(-1);
  if (kind !== 'svc' && kind !== 'pod') {
    return `below ${zone} there are only svc and pod: a cluster name reads SERVICE.NAMESPACE.svc.${zone}`;
  }
  return `no cluster name has ${labels.length - 3} labels in front of its Service`;
}

function explainReverse(view: ZoneView, name: string): string | undefined {
  const ip = addressOfReverse(name);
  if (ip === undefined) return undefined;
  const [owner] = view.state.servicesWithClusterIp(ip);
  if (owner !== undefined) return `${ip} is a cluster IP of Service ${owner.namespace}/${owner.name}`;
  const targets = pointersTo(view, ip);
  if (targets.length > 0) return `${ip} is a ready endpoint of ${targets.length} Service(s)`;
  return `no Service has ${ip} as cluster IP or ready endpoint; pods without a Service have no name`;
}

function explainPod(view: ZoneView, { service, namespace }: RecordRequest): string {
  const { podMode } = view.options;
  if (podMode === 'disabled') return 'pod names are switched off (`pods disabled`)';
  if (podMode === 'insecure') {
    return `any address in dashes is a pod name here (\`pods insecure\`), whether a pod has it or not: ${service}`;
  }
  const found = findServices(view, `${service}.${namespace}.pod.${view.options.zones[0]}`, view.options.zones[0]!);
  if (found === 'name-error') return `no running pod of namespace ${namespace} has the address ${service} as its first`;
  return `a pod of namespace ${namespace} has this address`;
}

function explainService(
  view: ZoneView,
  entry: ServiceEntry,
  asked: { readonly request: RecordRequest; readonly type: number; readonly name: string; readonly zone: string },
): string {
  const { request, type, name, zone } = asked;
  const facts = entry.facts!;
  const title = `Service ${entry.namespace}/${entry.name}`;
  const found = findServices(view, name, zone);
  if (facts.external) {
    if (found === 'name-error') return `${title} is an ExternalName: it has no names below it and no IP as its target`;
    return `${title} is an ExternalName for ${facts.externalName}`;
  }
  const { ready, unready } = countEndpoints(view, entry);
  if (found === 'name-error') return explainMissing({ view, entry, request, title, ready });
  const addresses = found.filter(({ host }) => host.includes(':') === (type === RecordType.AAAA));
  const wantsAddress = type === RecordType.A || type === RecordType.AAAA;
  if (wantsAddress && addresses.length === 0)
    return `${title} has no ${type === RecordType.A ? 'IPv4' : 'IPv6'} address`;
  if (!wantsAddress && type !== RecordType.SRV) return `${title} exists, but has no ${printRecordType(type)} records`;
  if (request.endpoint !== '') return `an endpoint of ${title}`;
  if (facts.headless) return `${title} is headless: its ${ready} ready endpoint(s)${unready}`;
  return `${title}: its cluster IP, which kube-proxy turns into one of ${ready} ready endpoint(s)`;
}

function explainMissing(missing: {
  readonly view: ZoneView;
  readonly entry: ServiceEntry;
  readonly request: RecordRequest;
  readonly title: string;
  readonly ready: number;
}): string {
  const { view, entry, request, title, ready } = missing;
  const { headless, ports } = entry.facts!;
  if (request.topologyZone !== '')
    return `${title} has a cluster IP: names of a topology zone are for headless Services`;
  if (request.endpoint !== '') return `${title} has no ready endpoint that is called ${request.endpoint}`;
  if (request.port !== '' || request.protocol !== '') {
    const offered = (headless ? [...slicesOf(view, entry)].flatMap((slice) => slice.ports) : ports)
      .map(({ name, protocol }) => `_${name}._${protocol.toLowerCase()}`)
      .join(', ');
    return `${title} has no port _${request.port}._${request.protocol}; it has ${offered || 'none'}`;
  }
  if (ready === 0) return `${title} has no ready endpoint, so its name does not exist`;
  return `${title} has nothing under this name`;
}

function countEndpoints(view: ZoneView, entry: ServiceEntry): { readonly ready: number; readonly unready: string } {
  const addresses = new Set([...slicesOf(view, entry)].flatMap((slice) => slice.addresses.map(({ ip }) => ip)));
  return { ready: addresses.size, unready: addresses.size === 0 ? '' : '; those not ready are left out' };
}
