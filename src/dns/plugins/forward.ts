import { performance } from 'node:perf_hooks';
import { parseResolvConf } from '../../kube/resolv-conf.ts';
import { configError } from '../corefile/config-error.ts';
import type { Directive } from '../corefile/parse-corefile.ts';
import { type ForwardConfig, readForward } from '../forward/forward-config.ts';
import { Upstream } from '../forward/upstream.ts';
import { TIME_BUCKETS } from '../metrics/dns-metrics.ts';
import type { DnsRequest } from '../server/dns-request.ts';
import { bareReply, buildReply, type Reply } from '../server/reply.ts';
import { extendedError } from '../wire/edns.ts';
import { parseIp } from '../wire/ip.ts';
import { ipNetContains, parseIpNet } from '../wire/ip-net.ts';
import { decodeMessage, encodeMessage, Flag, type Message, rcodeOf } from '../wire/message.ts';
import { isSubdomain, matchZone } from '../wire/name.ts';
import { printRcode, Rcode } from '../wire/rcode.ts';
import { RecordClass, RecordType } from '../wire/record-type.ts';
import type { Handler, Plugin, PluginEnvironment } from './plugin.ts';

const DEADLINE = 5000;
const ATTEMPTS_PER_UPSTREAM = 2;
/** Network Error of RFC 8914. */
const EDE_NETWORK_ERROR = 23;
const NO_WAY_OUT = 'upstream forwarding is off: this network has no way out';

/** forward: passes queries on to other resolvers, unchanged but for their id. */
export function forwardPlugin(directives: readonly Directive[], environment: PluginEnvironment): readonly Plugin[] {
  return directives.map((directive, i) => {
    const config = readForward(directive);
    // Only another forward takes over what this one found wanting.
    const last = i === directives.length - 1;
    return new ForwardPlugin(last ? { ...config, next: [], nextOnNodata: false } : config, environment);
  });
}

class ForwardPlugin implements Plugin {
  readonly name = 'forward';
  readonly #config: ForwardConfig;
  readonly #environment: PluginEnvironment;
  readonly #probes = new Map<Upstream, Disposable>();
  #upstreams: readonly Upstream[] = [];
  #concurrent = 0;
  #turn = 0;

  constructor(config: ForwardConfig, environment: PluginEnvironment) {
    this.#config = config;
    this.#environment = environment;
    const { metrics } = environment;
    metrics.counter('coredns_forward_healthcheck_broken_total', BROKEN_HELP);
    metrics.counter('coredns_forward_max_concurrent_rejects_total', REJECTS_HELP);
  }

  readonly start = async (): Promise<void> => {
    const { network, clock } = this.#environment;
    const { expire, readTimeout } = this.#config;
    const addresses = (await this.#addresses()).filter(({ address }) => this.#reaches(address));
    this.#upstreams = addresses.map(({ address, port }) => {
      const upstream: Upstream = new Upstream({
        ...{ address, port, network, clock, expire, readTimeout },
        onSocket: (transport, cached) => this.#countSocket(upstream.name, transport, cached),
      });
      return upstream;
    });
  };

  readonly stop = async (): Promise<void> => {
    for (const probe of this.#probes.values()) probe[Symbol.dispose]();
    for (const upstream of this.#upstreams) upstream[Symbol.dispose]();
  };

  readonly handle = (request: DnsRequest, next: Handler): Reply | Promise<Reply> => {
    const { name } = request.question;
    const { from, except, maxConcurrent } = this.#config;
    const excepted = name.toLowerCase() !== from && matchZone(except, name) !== undefined;
    if (!isSubdomain(from, name) || excepted) return next(request);
    if (this.#upstreams.length === 0) {
      const options = [extendedError(EDE_NETWORK_ERROR, NO_WAY_OUT)];
      return buildReply(this.name, { rcode: Rcode.SERVFAIL, options, written: false });
    }
    if (maxConcurrent > 0 && this.#concurrent >= maxConcurrent) {
      this.#environment.metrics.counter('coredns_forward_max_concurrent_rejects_total', REJECTS_HELP).with().value++;
      return bareReply(this.name, Rcode.REFUSED, `concurrent queries exceeded maximum ${maxConcurrent}`);
    }
    this.#concurrent++;
    return this.#forward(request, next).finally(() => {
      this.#concurrent--;
    });
  };

  async #addresses(): Promise<readonly { address: string; port: number }[]> {
    const found: { address: string; port: number }[] = [];
    for (const { address, port, token } of this.#config.to) {
      if (address !== undefined) {
        found.push({ address, port });
        continue;
      }
      const text = await this.#environment.readFile(token.text);
      const nameservers = text === undefined ? [] : parseResolvConf(text).nameservers;
      if (nameservers.length === 0 && this.#environment.upstream === 'on')
        throw configError(token, `no valid upstream addresses found in ${token.text}`);
      found.push(...nameservers.map((nameserver) => ({ address: nameserver, port: 53 })));
    }
    return found;
  }

  #reaches(address: string): boolean {
    const { upstream } = this.#environment;
    const bytes = parseIp(address);
    if (typeof upstream === 'string' || bytes === undefined) return upstream === 'on';
    return upstream.map(parseIpNet).some((net) => net !== undefined && ipNetContains(net, bytes));
  }

  async #forward(request: DnsRequest, next: Handler): Promise<Reply> {
    const { clock } = this.#environment;
    const list = this.#list();
    const deadline = clock.now() + DEADLINE;
    const attempts = this.#config.maxConnectAttempts ?? ATTEMPTS_PER_UPSTREAM * list.length;
    let failovers = 0;
    let failure = 'no healthy proxies';
    for (let tries = 0, i = 0; clock.now() < deadline && (attempts === 0 || tries < attempts); i++) {
      const upstream = this.#choose(list, i);
      if (upstream === undefined) break;
      try {
        const message = await this.#ask(upstream, request);
        if (message === undefined) return buildReply(this.name, { rcode: Rcode.FORMERR });
        if (this.#config.failover.includes(rcodeOf(message)) && ++failovers < list.length) continue;
        return this.#goesOn(message) ? next(request) : toReply(message);
      } catch (error) {
        failure = (error as Error).message;
        tries++;
        if (this.#config.maxFails > 0) this.#probe(upstream);
      }
    }
    return bareReply(this.name, Rcode.SERVFAIL, failure);
  }

  #list(): readonly Upstream[] {
    const upstreams = [...this.#upstreams];
    if (this.#config.policy === 'sequential') return upstreams;
    if (this.#config.policy === 'round_robin') {
      const first = ++this.#turn % upstreams.length;
      return [upstreams[first]!, ...upstreams.slice(0, first), ...upstreams.slice(first + 1)];
    }
    for (let i = upstreams.length - 1; i > 0; i--) {
      const j = Math.floor(this.#environment.random() * (i + 1));
      [upstreams[i], upstreams[j]] = [upstreams[j]!, upstreams[i]!];
    }
    return upstreams;
  }

  // The next upstream that is up; when all are down the health checks are taken for broken and one is tried at random.
  #choose(list: readonly Upstream[], start: number): Upstream | undefined {
    const { maxFails, failfast } = this.#config;
    for (let i = 0; i < list.length; i++) {
      const upstream = list[(start + i) % list.length]!;
      if (maxFails === 0 || upstream.fails <= maxFails) return upstream;
    }
    const { metrics, random } = this.#environment;
    metrics.counter('coredns_forward_healthcheck_broken_total', BROKEN_HELP).with().value++;
    return failfast ? undefined : list[Math.floor(random() * list.length)];
  }

  // Undefined for a reply to another question.
  async #ask(upstream: Upstream, request: DnsRequest): Promise<Message | undefined> {
    const { forceTcp, preferUdp } = this.#config;
    const startedAt = performance.now();
    const asked = forceTcp ? 'tcp' : preferUdp ? 'udp' : request.client.transport;
    let message = await this.#exchange(upstream, request, asked);
    if (preferUdp && asked === 'udp' && (message.flags & Flag.TC) !== 0) {
      message = await this.#exchange(upstream, request, 'tcp');
    }
    this.#countReply(upstream, rcodeOf(message), (performance.now() - startedAt) / 1000);
    const [question] = message.questions;
    const { name, type, class: qclass } = request.question;
    const same = question?.name.toLowerCase() === name.toLowerCase() && question.type === type;
    return same && question.class === qclass && (message.flags & Flag.QR) !== 0 ? message : undefined;
  }

  async #exchange(upstream: Upstream, request: DnsRequest, transport: 'udp' | 'tcp'): Promise<Message> {
    const id = Math.floor(this.#environment.random() * 0x10000);
    const query = encodeMessage({ ...request.message, id, questions: [request.question] });
    const message = decodeMessage(await upstream.exchange(query, transport));
    if (message === undefined) throw new Error(`${upstream.name}: malformed reply`);
    return message;
  }

  #goesOn(message: Message): boolean {
    const rcode = rcodeOf(message);
    const nodata = rcode === Rcode.NOERROR && message.answer.length === 0;
    return this.#config.next.includes(rcode) || (this.#config.nextOnNodata && nodata);
  }

  #probe(upstream: Upstream): void {
    if (this.#probes.has(upstream) || this.#config.healthInterval === 0) return;
    const { clock } = this.#environment;
    const check = async (): Promise<void> => {
      try {
        await upstream.exchange(this.#healthQuery(), this.#config.forceTcp ? 'tcp' : 'udp');
        upstream.fails = 0;
        this.#probes.delete(upstream);
      } catch {
        // That it fails is what the check is for.
        upstream.fails++;
        const labels = ['proxy_name', 'to'];
        const help = 'Counter of the number of failed healthchecks.';
        this.#environment.metrics
          .counter('coredns_proxy_healthcheck_failures_total', help, labels)
          .with('forward', upstream.name).value++;
        if (this.#probes.has(upstream)) {
          this.#probes.set(
            upstream,
            clock.schedule(this.#config.healthInterval, () => void check()),
          );
        }
      }
    };
    this.#probes.set(upstream, { [Symbol.dispose]: () => undefined });
    void check();
  }

  #healthQuery(): Uint8Array {
    const questions = [{ name: this.#config.healthDomain, type: RecordType.NS, class: RecordClass.IN }];
    const flags = this.#config.healthRecursion ? Flag.RD : 0;
    const id = Math.floor(this.#environment.random() * 0x10000);
    return encodeMessage({ id, flags, questions, answer: [], authority: [], additional: [] });
  }

  #countSocket(to: string, transport: 'udp' | 'tcp', cached: boolean): void {
    const { metrics } = this.#environment;
    const name = `conn_cache_${cached ? 'hits' : 'misses'}_total`;
    const help = `Counter of connection cache ${cached ? 'hits' : 'misses'} per upstream and protocol.`;
    metrics.counter(`coredns_proxy_${name}`, help, ['proxy_name', 'to', 'proto']).with('forward', to, transport)
      .value++;
    metrics.counter(`coredns_forward_${name}`, help, ['to', 'proto']).with(to, transport).value++;
  }

  // Under today's names and those of CoreDNS before 1.11, which dashboards still use.
  #countReply({ name: to }: Upstream, rcode: number, seconds: number): void {
    const { metrics } = this.#environment;
    const code = printRcode(rcode);
    const duration = 'Histogram of the time each request took.';
    metrics
      .histogram('coredns_proxy_request_duration_seconds', duration, {
        ...{ labels: ['proxy_name', 'to', 'rcode'], bounds: TIME_BUCKETS },
      })
      .with('forward', to, code)
      .observe(seconds);
    metrics
      .histogram('coredns_forward_request_duration_seconds', duration, {
        labels: ['to', 'rcode'],
        bounds: TIME_BUCKETS,
      })
      .with(to, code)
      .observe(seconds);
    const requests = 'Counter of requests made per upstream.';
    metrics.counter('coredns_forward_requests_total', requests, ['to']).with(to).value++;
    const responses = 'Counter of responses received per upstream.';
    metrics.counter('coredns_forward_responses_total', responses, ['to', 'rcode']).with(to, code).value++;
  }
}

const BROKEN_HELP = 'Counter of the number of complete failures of the healthchecks.';
const REJECTS_HELP = 'Counter of the number of queries rejected because the concurrent queries were at maximum.';

function toReply(message: Message): Reply {
  const { flags, answer, authority, additional, edns } = message;
  return buildReply('forward', {
    rcode: rcodeOf(message),
    authoritative: (flags & Flag.AA) !== 0,
    recursionAvailable: (flags & Flag.RA) !== 0,
    authenticatedData: (flags & Flag.AD) !== 0,
    truncated: (flags & Flag.TC) !== 0,
    answer,
    authority,
    additional,
    options: edns?.options ?? [],
    echo: edns === undefined,
  });
}
