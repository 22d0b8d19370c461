import { addressOfReverse, parseIp } from '../wire/ip.ts';
import { absoluteName, isSubdomain, joinName } from '../wire/name.ts';
import { addressRecord, nameRecord, type ResourceRecord, soaRecord, srvRecord, txtRecord } from '../wire/record.ts';
import { RecordType } from '../wire/record-type.ts';
import { endpointHostname } from './facts.ts';
import { type Finding, type Found, findServices, isExposed, slicesOf, type ZoneView } from './find-services.ts';
import { nameServers } from './name-servers.ts';
import { parseRequest } from './parse-request.ts';

/** A question inside one of the zones. */
export interface ZoneQuestion {
  /** Absolute, in the case of the packet. */
  readonly name: string;
  readonly type: number;
  /** The zone as it stands in `name`, in the packet's case. */
  readonly zone: string;
}

/** What a question is answered with; `name-error` is NXDOMAIN unless it falls through. */
export type ZoneAnswer = ZoneRecords | 'name-error';

export interface ZoneRecords {
  readonly answer: readonly ResourceRecord[];
  readonly additional: readonly ResourceRecord[];
  readonly truncated: boolean;
}

/** Asks the server itself for a name outside the zone; undefined when that failed. */
export type Lookup = (
  name: string,
  type: number,
) => Promise<{ readonly answer: readonly ResourceRecord[]; readonly truncated: boolean } | undefined>;

export interface AnswerContext {
  /** The server's own addresses without loopback: who the name servers of the zone are. */
  readonly ownAddresses: readonly string[];
  readonly lookup: Lookup;
}

const MAX_CNAMES = 10;
const NODATA: ZoneRecords = { answer: [], additional: [], truncated: false };
const VERSION = '1.1.0';
const VERSION_TTL = 28800;

/** Answers a question of one of the view's zones as CoreDNS's kubernetes plugin does; a promise only for foreign CNAME targets. */
export function answerQuestion(
  view: ZoneView,
  question: ZoneQuestion,
  context: AnswerContext,
): ZoneAnswer | Promise<ZoneAnswer> {
  const { name, type, zone } = question;
  const lower = name.toLowerCase();
  const lowerZone = zone.toLowerCase();
  switch (type) {
    case RecordType.A:
    case RecordType.AAAA:
      return isDefaultNameServer(lower, zone)
        ? records(nameServerAddresses(view, question, context))
        : answerAddress(view, question, context);
    case RecordType.SRV:
      return isDefaultNameServer(lower, zone) ? NODATA : answerSrv(view, question, find(view, lower, lowerZone));
    case RecordType.TXT:
      return answerTxt(view, question);
    case RecordType.CNAME:
      return isDefaultNameServer(lower, zone) ? NODATA : answerCname(view, question, find(view, lower, lowerZone));
    case RecordType.PTR:
      return answerPtr(view, question);
    case RecordType.SOA:
      // As CoreDNS: every other name has no SOA, whether it exists or not.
      return name === zone ? records([zoneSoa(view, zone)]) : NODATA;
    case RecordType.NS:
      // As CoreDNS: a zone not written in lower case has no name servers.
      if (lower === zone) return answerNs(view, question, context);
  }
  if (isDefaultNameServer(lower, zone)) return NODATA;
  return find(view, lower, lowerZone) === 'name-error' ? 'name-error' : NODATA;
}

/** The SOA record of a zone, in the case given. */
export function zoneSoa({ state, options }: ZoneView, zone: string): ResourceRecord {
  const multicluster = options.multiclusterZones.includes(zone.toLowerCase());
  return soaRecord(zone, Math.min(options.ttl, 300), {
    mname: joinName('ns.dns', zone),
    rname: joinName('hostmaster', zone),
    serial: multicluster ? state.modified.multicluster : state.modified.internal,
    refresh: 7200,
    retry: 1800,
    expire: 86400,
    minimum: options.ttl,
  });
}

/** SRV records and the addresses of their targets; duplicates merge after the weights are counted. */
export function answerSrv({ options }: ZoneView, question: ZoneQuestion, finding: Finding): ZoneAnswer {
  if (finding === 'name-error') return finding;
  const found = finding.filter((item) => !item.external);
  const weight = Math.max(1, Math.floor((100 / (100 * found.length)) * 100));
  const answer = new Map<string, ResourceRecord>();
  const additional = new Map<string, ResourceRecord>();
  for (const { host, port, key } of found) {
    if (port === -1) continue;
    const target = joinName(key, question.zone);
    const address = addressRecord(target, options.ttl, host);
    if (address === undefined) continue;
    const id = `${target} ${port}`;
    if (!answer.has(id)) {
      answer.set(id, srvRecord(question.name, options.ttl, { priority: 0, weight, port, target }));
    }
    additional.set(`${target} ${host}`, additional.get(`${target} ${host}`) ?? address);
  }
  return { answer: [...answer.values()], additional: [...additional.values()], truncated: false };
}

/** The addresses of one family among what was found, each host once. */
export function addressesOf(view: ZoneView, name: string, type: number, found: readonly Found[]): ResourceRecord[] {
  const hosts = new Set<string>();
  const addresses: ResourceRecord[] = [];
  for (const { host } of found) {
    if (hosts.has(host)) continue;
    hosts.add(host);
    const record = addressRecord(name, view.options.ttl, host);
    if (record?.type === type) addresses.push(record);
  }
  return addresses;
}

function records(answer: readonly ResourceRecord[]): ZoneRecords {
  return { answer, additional: [], truncated: false };
}

function find(view: ZoneView, name: string, zone: string): Finding {
  return findServices(view, name, zone);
}

// As CoreDNS: `ns.dns.` in front of the zone counts only when the zone is written in lower case.
function isDefaultNameServer(name: string, zone: string): boolean {
  return name.startsWith('ns.dns.') && name.indexOf(zone) === 'ns.dns.'.length;
}

function answerAddress(
  view: ZoneView,
  question: ZoneQuestion,
  context: AnswerContext,
): ZoneAnswer | Promise<ZoneAnswer> {
  const chain: ResourceRecord[] = [];
  let name = question.name;
  for (;;) {
    const finding = find(view, name.toLowerCase(), question.zone.toLowerCase());
    if (finding === 'name-error') return chain.length === 0 ? finding : NODATA;
    const external = finding[0]?.external === true ? finding[0] : undefined;
    if (external === undefined) {
      const addresses = addressesOf(view, name, question.type, finding);
      // A chain that ends without an address is not told at all.
      return addresses.length === 0 ? NODATA : records([...chain, ...addresses]);
    }
    const target = absoluteName(external.host);
    if (isLoop(chain, name, target) || chain.length > MAX_CNAMES) return NODATA;
    chain.push(nameRecord(name, RecordType.CNAME, view.options.ttl, target));
    if (!isSubdomain(question.zone, target)) return followOutside(chain, target, question.type, context);
    name = target;
  }
}

function isLoop(chain: readonly ResourceRecord[], name: string, target: string): boolean {
  if (isSubdomain(name, target)) return true;
  return chain.some((record) => record.name.toLowerCase() === name.toLowerCase());
}

async function followOutside(
  chain: readonly ResourceRecord[],
  target: string,
  type: number,
  context: AnswerContext,
): Promise<ZoneAnswer> {
  const reply = await context.lookup(target, type);
  if (reply === undefined) return NODATA;
  return { answer: [...chain, ...reply.answer], additional: [], truncated: reply.truncated };
}

function answerTxt(view: ZoneView, { name, zone }: ZoneQuestion): ZoneAnswer {
  const lower = name.toLowerCase();
  if (lower === joinName('dns-version', zone.toLowerCase())) return records([txtRecord(name, VERSION_TTL, [VERSION])]);
  const finding = find(view, lower, zone.toLowerCase());
  // As CoreDNS: a name that exists only as a branch (the apex, svc, a namespace) has no TXT: NXDOMAIN.
  if (finding !== 'name-error' && finding.length > 0) return NODATA;
  const multicluster = view.options.multiclusterZones.includes(zone.toLowerCase());
  const request = parseRequest(lower, zone.toLowerCase(), { multicluster, zonal: view.options.zonal });
  const zonal = finding !== 'name-error' && request !== undefined && request.topologyZone !== '';
  return zonal ? NODATA : 'name-error';
}

function answerCname(view: ZoneView, question: ZoneQuestion, finding: Finding): ZoneAnswer {
  if (finding === 'name-error') return finding;
  const first = finding[0];
  if (first === undefined || !first.external) return NODATA;
  return records([nameRecord(question.name, RecordType.CNAME, view.options.ttl, absoluteName(first.host))]);
}

function answerPtr(view: ZoneView, { name, zone }: ZoneQuestion): ZoneAnswer {
  const lower = name.toLowerCase();
  const ip = addressOfReverse(lower);
  if (ip === undefined) return find(view, lower, zone.toLowerCase()) === 'name-error' ? 'name-error' : NODATA;
  const targets = pointersTo(view, ip);
  if (targets.length === 0) return 'name-error';
  return records(targets.map((target) => nameRecord(name, RecordType.PTR, view.options.ttl, target)));
}

/** The names that PTR gives for an address: the first Service with it as cluster IP, else all endpoints that have it. */
export function pointersTo(view: ZoneView, ip: string): readonly string[] {
  const { state, options } = view;
  const zone = primaryZone(view);
  const hidden = (namespace: string): boolean => options.namespaces.length > 0 && !isExposed(view, namespace);
  for (const { name, namespace } of state.servicesWithClusterIp(ip)) {
    if (!hidden(namespace)) return [joinName(`${name}.${namespace}.svc`, zone)];
  }
  const targets = new Set<string>();
  for (const entry of state.servicesWithEndpoint(ip)) {
    if (hidden(entry.namespace)) continue;
    for (const slice of slicesOf(view, entry)) {
      for (const address of slice.addresses) {
        if (address.ip !== ip) continue;
        const host = endpointHostname(address, options.endpointPodNames);
        targets.add(joinName(`${host}.${entry.name}.${entry.namespace}.svc`, zone));
      }
    }
  }
  return [...targets];
}

function primaryZone({ options }: ZoneView): string {
  return options.zones.find((zone) => !zone.endsWith('.in-addr.arpa.') && !zone.endsWith('.ip6.arpa.')) ?? '.';
}

function answerNs(view: ZoneView, { name, zone }: ZoneQuestion, { ownAddresses }: AnswerContext): ZoneAnswer {
  const { ttl } = view.options;
  const servers = nameServers(view, ownAddresses, zone);
  const names = new Set(servers.map((server) => server.name));
  const additional = servers.flatMap((server) => addressRecord(server.name, ttl, server.address) ?? []);
  return {
    answer: [...names].map((target) => nameRecord(name, RecordType.NS, ttl, target)),
    additional,
    truncated: false,
  };
}

function nameServerAddresses(view: ZoneView, question: ZoneQuestion, context: AnswerContext): ResourceRecord[] {
  const servers = nameServers(view, context.ownAddresses, question.zone);
  const found = servers
    .filter(({ address }) => parseIp(address) !== undefined)
    .map(({ address }) => ({ host: address, external: false, port: 0, key: '' }));
  return addressesOf(view, question.name, question.type, found);
}
