import { configError } from '../corefile/config-error.ts';
import { normalizeAll } from '../corefile/normalize-zone.ts';
import type { Directive } from '../corefile/parse-corefile.ts';
import { readArguments, readInteger, readOptions } from '../corefile/read-options.ts';
import { type DnsRequest, withQuestion } from '../server/dns-request.ts';
import { buildReply, type Reply } from '../server/reply.ts';
import { absoluteName, isSubdomain, joinName, matchZone } from '../wire/name.ts';
import { Rcode } from '../wire/rcode.ts';
import { addressRecord, nameRecord, type ResourceRecord, soaRecord, srvRecord } from '../wire/record.ts';
import { RecordClass, RecordType } from '../wire/record-type.ts';
import { externalNameServers, externalOf, externalPointers, findExternal } from '../zone/external-zone.ts';
import type { Found, ZoneView } from '../zone/find-services.ts';
import { KubernetesPlugin, readFallthrough } from './kubernetes.ts';
import { once } from './once.ts';
import type { Handler, Plugin, PluginEnvironment } from './plugin.ts';

interface ExternalConfig {
  readonly zones: readonly string[];
  readonly ttl: number;
  readonly apex: string;
  readonly headless: boolean;
  readonly fallthrough: readonly string[];
}

/** k8s_external: answers `service.namespace.zone` from external and load balancer addresses. */
export function k8sExternalPlugin(directives: readonly Directive[], environment: PluginEnvironment): readonly Plugin[] {
  const directive = once(directives);
  const words = directive.args.map((token) => token.text);
  const config = { ttl: 5, apex: 'dns', headless: false, fallthrough: [] as readonly string[] };
  readOptions(directive, {
    ttl: (line) => {
      readArguments(line, 1);
      config.ttl = readInteger(line.args[0]!, 0, 3600);
    },
    apex: (line) => {
      config.apex = readArguments(line, 1)[0]!;
    },
    headless: (line) => {
      readArguments(line, 0, 0);
      config.headless = true;
    },
    fallthrough: (line) => {
      config.fallthrough = readFallthrough(line);
    },
  });
  const zones = words.length === 0 ? environment.zones : normalizeAll(words);
  return [new ExternalPlugin({ ...config, zones }, directive, environment)];
}

class ExternalPlugin implements Plugin {
  readonly name = 'k8s_external';
  readonly #config: ExternalConfig;
  readonly #directive: Directive;
  readonly #environment: PluginEnvironment;
  #kubernetes: KubernetesPlugin | undefined;

  constructor(config: ExternalConfig, directive: Directive, environment: PluginEnvironment) {
    this.#config = config;
    this.#directive = directive;
    this.#environment = environment;
  }

  readonly leavesAlone = (zone: string): boolean =>
    !this.#config.zones.some((own) => isSubdomain(own, zone) || isSubdomain(zone, own));

  readonly start = async (): Promise<void> => {
    this.#kubernetes = this.#environment.siblings().find((plugin) => plugin instanceof KubernetesPlugin);
    if (this.#kubernetes === undefined) throw configError(this.#directive.name, 'kubernetes plugin not loaded');
  };

  readonly handle = (request: DnsRequest, next: Handler): Reply | Promise<Reply> => {
    const { name, type } = request.question;
    const lower = name.toLowerCase();
    const zone = matchZone(this.#config.zones, lower);
    if (zone === undefined) return next(request);
    if (lower === zone) return this.#apex(name, type, zone);
    if (isSubdomain(joinName(this.#config.apex, zone), lower)) return this.#subApex(name, type, zone);
    if (type === RecordType.PTR) return this.#pointer(request, zone, next);
    const found = findExternal(this.#view, lower, { zone, headless: this.#config.headless });
    if (found === 'name-error') return this.#missing(request, zone, next);
    return this.#records(request, zone, found);
  };

  readonly transfer = (zone: string, serial: number): readonly ResourceRecord[] | undefined => {
    if (!this.#config.zones.includes(zone)) return undefined;
    const soa = this.#soa(zone);
    if (serial !== 0 && serial >= this.#view.state.modified.external) return [soa];
    const ns = joinName(`ns1.${this.#config.apex}`, zone);
    const services = [...this.#view.state.services()].flatMap((entry) =>
      this.#transferred(zone, externalOf(this.#view, entry, this.#config.headless), entry.facts?.headless === true),
    );
    const records = [nameRecord(zone, RecordType.NS, this.#config.ttl, ns), ...this.#glue(ns, zone), ...services];
    return [soa, ...records, soa];
  };

  get #view(): ZoneView {
    return this.#kubernetes!.fastAnswers.table.view;
  }

  #answered(fields: Partial<Reply>, zone: string): Reply {
    const empty = (fields.answer ?? []).length === 0;
    return buildReply(this.name, { authoritative: true, ...fields, authority: empty ? [this.#soa(zone)] : [] });
  }

  #apex(name: string, type: number, zone: string): Reply {
    const { apex, ttl } = this.#config;
    if (type === RecordType.SOA) return this.#answered({ answer: [this.#soa(zone)] }, zone);
    if (type !== RecordType.NS) return this.#answered({}, zone);
    const answer = [nameRecord(zone, RecordType.NS, ttl, joinName(`ns1.${apex}`, zone))];
    return this.#answered({ answer, additional: this.#glue(joinName(`ns1.${apex}`, name), zone) }, zone);
  }

  // The apex label itself, and ns1 below it; nothing else is there.
  #subApex(name: string, type: number, zone: string): Reply {
    const lower = name.toLowerCase();
    if (lower === joinName(this.#config.apex, zone)) return this.#answered({}, zone);
    if (lower !== joinName(`ns1.${this.#config.apex}`, zone)) {
      return this.#answered({ rcode: Rcode.NXDOMAIN }, zone);
    }
    return this.#answered({ answer: this.#glue(name, zone).filter((record) => record.type === type) }, zone);
  }

  #glue(owner: string, zone: string): readonly ResourceRecord[] {
    const { headless, ttl } = this.#config;
    const servers = externalNameServers(this.#view, this.#environment.ownAddresses(), { zone, headless });
    return servers.flatMap(({ address }) => addressRecord(owner, ttl, address) ?? []);
  }

  #pointer(request: DnsRequest, zone: string, next: Handler): Reply | Promise<Reply> {
    const { name } = request.question;
    const services = externalPointers(this.#view, name.toLowerCase());
    if (services === undefined) {
      const { headless } = this.#config;
      const found = findExternal(this.#view, name.toLowerCase(), { zone, headless });
      return found === 'name-error' ? this.#missing(request, zone, next) : this.#answered({}, zone);
    }
    if (services.length === 0) return this.#missing(request, zone, next);
    const { ttl, zones } = this.#config;
    const targets = [...new Set(services)].map((service) => joinName(service, zones[0]!));
    return this.#answered({ answer: targets.map((target) => nameRecord(name, RecordType.PTR, ttl, target)) }, zone);
  }

  #missing(request: DnsRequest, zone: string, next: Handler): Reply | Promise<Reply> {
    if (matchZone(this.#config.fallthrough, request.question.name) !== undefined) return next(request);
    return this.#answered({ rcode: Rcode.NXDOMAIN }, zone);
  }

  async #records(request: DnsRequest, zone: string, found: readonly Found[]): Promise<Reply> {
    const { type } = request.question;
    if (type === RecordType.A || type === RecordType.AAAA) {
      return this.#answered(await this.#addresses(request, found), zone);
    }
    if (type === RecordType.SRV) return this.#answered(await this.#services(request, zone, found), zone);
    return this.#answered({}, zone);
  }

  async #addresses(request: DnsRequest, found: readonly Found[]): Promise<Partial<Reply>> {
    const { name, type } = request.question;
    const answer: ResourceRecord[] = [];
    let truncated = false;
    for (const { host, external } of new Map(found.map((item) => [item.host, item])).values()) {
      const record = addressRecord(name, this.#config.ttl, host);
      if (record?.type === type) answer.push(record);
      if (!external) continue;
      answer.push(nameRecord(name, RecordType.CNAME, this.#view.options.ttl, absoluteName(host)));
      const reply = await this.#lookup(request, host, type);
      answer.push(...reply.answer);
      truncated ||= reply.truncated;
    }
    return { answer, truncated };
  }

  async #services(request: DnsRequest, zone: string, found: readonly Found[]): Promise<Partial<Reply>> {
    const answer = new Map<string, ResourceRecord>();
    const additional = new Map<string, ResourceRecord>();
    for (const { host, port, target, weight } of srvTargets(found, zone)) {
      const data = { priority: 0, weight, port, target };
      const id = `${target} ${port}`;
      if (!answer.has(id)) answer.set(id, srvRecord(request.question.name, this.#view.options.ttl, data));
      const address = addressRecord(target, this.#config.ttl, host);
      if (address !== undefined) additional.set(`${target} ${host}`, address);
      else if (!additional.has(target)) {
        for (const type of [RecordType.A, RecordType.AAAA]) {
          const { answer: records } = await this.#lookup(request, host, type);
          for (const [i, record] of records.entries()) additional.set(`${target} ${type} ${i}`, record);
        }
      }
    }
    return { answer: [...answer.values()], additional: [...additional.values()] };
  }

  async #lookup(request: DnsRequest, host: string, type: number): Promise<Reply> {
    return await this.#environment.ask(
      withQuestion(request, { name: absoluteName(host), type, class: RecordClass.IN }),
    );
  }

  #transferred(zone: string, found: readonly Found[], headless: boolean): readonly ResourceRecord[] {
    const records = new Map<string, ResourceRecord>();
    const add = (record: ResourceRecord | undefined): void => {
      if (record !== undefined) records.set(`${record.name} ${record.type} ${record.rdata.join()}`, record);
    };
    for (const { host, port, target, weight } of srvTargets(found, zone)) {
      const service = headless ? target.slice(target.indexOf('.') + 1) : target;
      add(addressRecord(service, this.#config.ttl, host));
      add(addressRecord(target, this.#config.ttl, host));
      add(srvRecord(service, this.#view.options.ttl, { priority: 0, weight, port, target }));
    }
    return [...records.values()];
  }

  #soa(zone: string): ResourceRecord {
    const { apex, ttl } = this.#config;
    return soaRecord(zone, ttl, {
      mname: joinName(`ns1.${apex}`, zone),
      rname: joinName(`hostmaster.${apex}`, zone),
      serial: this.#view.state.modified.external,
      refresh: 7200,
      retry: 1800,
      expire: 86400,
      minimum: ttl,
    });
  }
}

function srvTargets(
  found: readonly Found[],
  zone: string,
): readonly { host: string; port: number; target: string; weight: number }[] {
  const weight = Math.max(1, Math.floor((100 / (100 * found.length)) * 100));
  return found
    .filter(({ port }) => port !== -1)
    .map(({ host, port, key, external }) => ({
      ...{ host, port, weight },
      target: external ? absoluteName(host) : joinName(key, zone),
    }));
}
