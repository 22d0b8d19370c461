import { configError } from '../corefile/config-error.ts';
import { normalizeAll } from '../corefile/normalize-zone.ts';
import type { Directive, OptionLine } from '../corefile/parse-corefile.ts';
import { readArguments, readChoice, readDuration, readInteger, readOptions } from '../corefile/read-options.ts';
import { searchPathsOf } from '../search/search-paths.ts';
import type { DnsRequest } from '../server/dns-request.ts';
import { withQuestion } from '../server/dns-request.ts';
import { bareReply, buildReply, type Reply } from '../server/reply.ts';
import { isReverseName } from '../wire/ip.ts';
import { isSubdomain, joinName, matchZone } from '../wire/name.ts';
import { Rcode } from '../wire/rcode.ts';
import type { ResourceRecord } from '../wire/record.ts';
import { RecordClass, RecordType } from '../wire/record-type.ts';
import { answerQuestion, type Lookup, type ZoneAnswer, zoneSoa } from '../zone/answer-question.ts';
import type { AnswerTable } from '../zone/answer-table.ts';
import type { ClusterSource } from '../zone/cluster-zone.ts';
import { defaultZoneOptions, type ZoneOptions } from '../zone/zone-options.ts';
import { transferZone } from '../zone/zone-transfer.ts';
import { once } from './once.ts';
import type { Handler, Plugin, PluginEnvironment } from './plugin.ts';
import { observeProgramming } from './programming-metric.ts';

/** The kubernetes block of a Corefile. */
export interface KubernetesConfig {
  readonly zone: ZoneOptions;
  readonly labels: string;
  readonly namespaceLabels: string;
  /** Zones whose missing names go on to the next plugin. */
  readonly fallthrough: readonly string[];
  /** Milliseconds that the start waits for the first sync. */
  readonly startupTimeout: number;
}

const STARTUP_TIMEOUT = 5000;

/** kubernetes: answers the cluster's zones from its objects. */
export function kubernetesPlugin(directives: readonly Directive[], environment: PluginEnvironment): readonly Plugin[] {
  return [new KubernetesPlugin(readKubernetes(once(directives), environment.zones), environment)];
}

/** Reads the block. How to reach the API server (endpoint, tls, kubeconfig) is the embedding program's business. */
export function readKubernetes(directive: Directive, blockZones: readonly string[]): KubernetesConfig {
  const zones = directive.args.length === 0 ? blockZones : normalizeAll(directive.args.map((token) => token.text));
  if (zones.every(isReverseName)) throw configError(directive.name, 'non-reverse zone name must be used');
  const zone = { ...defaultZoneOptions, zones } as { -readonly [K in keyof ZoneOptions]: ZoneOptions[K] };
  const config = { labels: '', namespaceLabels: '', fallthrough: [] as readonly string[] };
  let startupTimeout = STARTUP_TIMEOUT;
  const flag = (set: () => void) => (line: OptionLine) => {
    readArguments(line, 0, 0);
    set();
  };
  const ignored = (line: OptionLine): void => void readArguments(line, 1);
  readOptions(directive, {
    endpoint_pod_names: flag(() => (zone.endpointPodNames = true)),
    pods: (line) => {
      readArguments(line, 1, 1);
      zone.podMode = readChoice(line.args[0]!, ['disabled', 'insecure', 'verified']);
    },
    namespaces: (line) => (zone.namespaces = [...zone.namespaces, ...readArguments(line, 1)]),
    labels: (line) => (config.labels = readArguments(line, 1).join(' ')),
    namespace_labels: (line) => (config.namespaceLabels = readArguments(line, 1).join(' ')),
    fallthrough: (line) => (config.fallthrough = readFallthrough(line)),
    ttl: (line) => {
      readArguments(line, 1);
      zone.ttl = readInteger(line.args[0]!, 0, 3600);
    },
    noendpoints: flag(() => (zone.noEndpoints = true)),
    zonal: flag(() => (zone.zonal = true)),
    ignore: (line) => {
      readArguments(line, 1);
      readChoice(line.args[0]!, ['empty_service']);
      zone.ignoreEmptyService = true;
    },
    multicluster: (line) => (zone.multiclusterZones = normalizeAll(readArguments(line, 0))),
    startup_timeout: (line) => {
      readArguments(line, 1);
      startupTimeout = readDuration(line.args[0]!);
    },
    endpoint: ignored,
    tls: ignored,
    kubeconfig: ignored,
    apiserver_qps: ignored,
    apiserver_burst: ignored,
    apiserver_max_inflight: ignored,
  });
  checkTogether(directive, zone, config.namespaceLabels);
  return { zone, ...config, startupTimeout };
}

/** The zones of a `fallthrough` line; none named means all. */
export function readFallthrough(line: OptionLine): readonly string[] {
  return line.args.length === 0 ? ['.'] : normalizeAll(line.args.map((token) => token.text));
}

function checkTogether(directive: Directive, zone: ZoneOptions, namespaceLabels: string): void {
  if (zone.namespaces.length > 0 && namespaceLabels !== '') {
    throw configError(directive.name, 'namespaces and namespace_labels cannot both be set');
  }
  const foreign = zone.multiclusterZones.find((name) => !zone.zones.includes(name));
  if (foreign !== undefined) {
    throw configError(directive.name, `is not authoritative for the multicluster zone ${foreign}`);
  }
  if (zone.zonal && zone.noEndpoints) {
    throw configError(directive.name, 'zonal requires the endpoint cache; remove noendpoints');
  }
}

/** The plugin itself; others (autopath, k8s_external, transfer) read its source and options. */
export class KubernetesPlugin implements Plugin {
  readonly name = 'kubernetes';
  readonly config: KubernetesConfig;
  readonly source: ClusterSource;
  readonly fastAnswers: { readonly table: AnswerTable; readonly denies: (zone: string) => boolean };
  readonly #environment: PluginEnvironment;
  readonly #programming: Disposable;

  constructor(config: KubernetesConfig, environment: PluginEnvironment) {
    this.config = config;
    this.#environment = environment;
    const { zone, labels, namespaceLabels, fallthrough } = config;
    this.source = environment.zone.source({
      labels,
      namespaceLabels,
      pods: zone.podMode === 'verified',
      multicluster: zone.multiclusterZones.length > 0,
    });
    this.fastAnswers = {
      table: this.source.table(zone),
      denies: (name) => !fallthrough.some((zone) => isSubdomain(zone, name) || isSubdomain(name, zone)),
    };
    this.#programming = observeProgramming(this.source.state, environment);
  }

  /** Search paths from /etc/resolv.conf of this server, for autopath. */
  #ownSearch: readonly string[] = [];

  readonly transfer = (zone: string, serial: number): readonly ResourceRecord[] | undefined => {
    const { view } = this.fastAnswers.table;
    if (!view.options.zones.includes(zone)) return undefined;
    return transferZone(view, zone, { serial, ownAddresses: this.#environment.ownAddresses() });
  };

  // Only `pods verified` knows who asks.
  readonly searchPath = ({ client, question }: DnsRequest): readonly string[] | undefined => {
    const { zones, podMode } = this.config.zone;
    const zone = matchZone(zones, question.name);
    if (zone === undefined || podMode !== 'verified') return undefined;
    const [pod] = this.source.state.podsWithIp(client.address);
    if (pod === undefined) return undefined;
    const svc = joinName('svc', zone);
    return [`${pod.namespace}.${svc}`, svc, zone, ...this.#ownSearch, ''];
  };

  readonly isReady = (): boolean => this.source.state.synced;

  readonly start = async (): Promise<void> => {
    const resolvConf = await this.#environment.readFile('/etc/resolv.conf');
    if (resolvConf !== undefined) this.#ownSearch = normalizeAll(searchPathsOf(resolvConf));
    const { state } = this.source;
    if (state.synced) return;
    const { promise: timedOut, resolve } = Promise.withResolvers<'timed out'>();
    using _timer = this.#environment.clock.schedule(this.config.startupTimeout, () => resolve('timed out'));
    this.#environment.log('info', 'plugin/kubernetes: waiting for Kubernetes API before starting server');
    if ((await Promise.race([state.whenSynced, timedOut])) === 'timed out') {
      this.#environment.log('warning', 'plugin/kubernetes: starting server with unsynced Kubernetes API');
    }
  };

  readonly stop = async (): Promise<void> => this.#programming[Symbol.dispose]();

  readonly handle = (request: DnsRequest, next: Handler): Reply | Promise<Reply> => {
    const { name, type } = request.question;
    const matched = matchZone(this.config.zone.zones, name);
    if (matched === undefined) return next(request);
    if (type === RecordType.AXFR || type === RecordType.IXFR) return bareReply(this.name, Rcode.REFUSED);
    const zone = matched === '.' ? '.' : name.slice(name.length - matched.length);
    const view = this.fastAnswers.table.view;
    const context = { ownAddresses: this.#environment.ownAddresses(), lookup: this.#lookup(request) };
    const answer = answerQuestion(view, { name, type, zone }, context);
    return answer instanceof Promise
      ? answer.then((later) => this.#reply(request, { answer: later, zone }, next))
      : this.#reply(request, { answer, zone }, next);
  };

  #reply(
    request: DnsRequest,
    { answer, zone }: { answer: ZoneAnswer; zone: string },
    next: Handler,
  ): Reply | Promise<Reply> {
    if (answer === 'name-error') {
      if (matchZone(this.config.fallthrough, request.question.name) !== undefined) return next(request);
      return this.#denied(zone, this.source.state.synced ? Rcode.NXDOMAIN : Rcode.SERVFAIL);
    }
    if (answer.answer.length === 0) return this.#denied(zone, Rcode.NOERROR);
    return buildReply(this.name, { authoritative: true, ...answer });
  }

  #denied(zone: string, rcode: number): Reply {
    const authority = [zoneSoa(this.fastAnswers.table.view, zone)];
    return buildReply(this.name, { rcode, authoritative: true, authority });
  }

  #lookup(request: DnsRequest): Lookup {
    return async (name, type) => {
      const reply = await this.#environment.ask(withQuestion(request, { name, type, class: RecordClass.IN }));
      return { answer: reply.answer, truncated: reply.truncated };
    };
  }
}
