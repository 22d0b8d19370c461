import { type CacheConfig, readCache } from '../cache/cache-config.ts';
import { CacheItem, CacheStore, withTtl } from '../cache/cache-item.ts';
import { CacheMetrics } from '../cache/cache-metrics.ts';
import type { Directive } from '../corefile/parse-corefile.ts';
import { type DnsRequest, wantsDnssec } from '../server/dns-request.ts';
import type { Reply } from '../server/reply.ts';
import { answersQuestion, type ResponseType, responseType } from '../server/response-type.ts';
import { Flag } from '../wire/message.ts';
import { isSubdomain, matchZone } from '../wire/name.ts';
import { Rcode } from '../wire/rcode.ts';
import { RecordType } from '../wire/record-type.ts';
import { once } from './once.ts';
import type { Handler, Plugin, PluginEnvironment } from './plugin.ts';

/** The least that a reply without a usable TTL is kept, seconds. */
const FAILSAFE_TTL = 5;

/** cache: keeps replies of the plugins behind it, answers and denials apart. */
export function cachePlugin(directives: readonly Directive[], environment: PluginEnvironment): readonly Plugin[] {
  return [new CachePlugin(readCache(once(directives), environment.zones), environment)];
}

class CachePlugin implements Plugin {
  readonly name = 'cache';
  readonly #config: CacheConfig;
  readonly #environment: PluginEnvironment;
  readonly #success: CacheStore;
  readonly #denial: CacheStore;
  readonly #metrics: CacheMetrics;

  constructor(config: CacheConfig, environment: PluginEnvironment) {
    this.#config = config;
    this.#environment = environment;
    this.#success = new CacheStore(config.success.capacity);
    this.#denial = new CacheStore(config.denial.capacity);
    this.#metrics = new CacheMetrics(environment, config.zones);
  }

  /** Only replies that it neither keeps nor gives another TTL pass untouched. */
  readonly leavesAlone = (zone: string, ttl: number): boolean => {
    const { zones, success, denial } = this.#config;
    if (!zones.some((cached) => isSubdomain(cached, zone) || isSubdomain(zone, cached))) return true;
    const excepted = [success, denial].every(({ except }) => matchZone(except, zone) !== undefined);
    const denialTtl = Math.min(ttl, 300);
    const unchanged = ttl >= success.minTtl && ttl <= success.maxTtl;
    return excepted && unchanged && denialTtl >= denial.minTtl && denialTtl <= denial.maxTtl;
  };

  readonly handle = (request: DnsRequest, next: Handler): Reply | Promise<Reply> => {
    if (matchZone(this.#config.zones, request.question.name) === undefined) return next(request);
    const now = this.#environment.clock.now();
    const item = this.#find(request, now);
    if (item === undefined) return this.#refresh(request, next);
    if (item.left(now) > 0) {
      if (this.#wantsPrefetch(item, now)) this.#refreshLater(request, { item, next, stale: false });
      return this.#serve(request, item, now);
    }
    const { stale } = this.#config;
    if (stale?.verify === true && (stale.recheck === 0 || this.#begins(item, stale.recheck))) {
      return this.#verify(request, item, next);
    }
    if (stale?.verify !== true) this.#refreshLater(request, { item, next, stale: true });
    return this.#serveStale(request, item);
  };

  #find(request: DnsRequest, now: number): CacheItem | undefined {
    const key = keyOf(request);
    const usable = (item: CacheItem | undefined): item is CacheItem => {
      const left = item?.left(now) ?? Number.NEGATIVE_INFINITY;
      return left > 0 || -left < (this.#config.stale?.upTo ?? 0);
    };
    this.#metrics.request();
    const found = this.#success.get(key);
    const denied = this.#denial.get(key);
    if (this.#config.stale?.preferPositive === true) {
      const good = found?.answering === true ? found : found?.lastKnownGood;
      if (usable(good)) return this.#metrics.hit('success', good);
    }
    // SERVFAIL is transient: a good answer that is still kept goes before it.
    if (usable(denied) && denied.reply.rcode === Rcode.SERVFAIL && usable(found)) {
      return this.#metrics.hit('success', found);
    }
    if (usable(denied)) return this.#metrics.hit('denial', denied);
    if (usable(found)) return this.#metrics.hit('success', found);
    this.#metrics.miss();
    return undefined;
  }

  #serve(request: DnsRequest, item: CacheItem, now: number): Reply {
    return item.toReply(this.#config.keepTtl ? item.ttl : item.left(now), wantsAuthenticated(request));
  }

  #serveStale(request: DnsRequest, item: CacheItem): Reply {
    this.#metrics.stale();
    const ttl = this.#config.keepTtl ? item.ttl : (this.#config.stale?.ttl ?? 0);
    return item.toReply(ttl, wantsAuthenticated(request));
  }

  #refresh(request: DnsRequest, next: Handler): Reply | Promise<Reply> {
    const reply = next(withAuthenticated(request));
    return reply instanceof Promise ? reply.then((done) => this.#store(request, done)) : this.#store(request, reply);
  }

  // Keeps the reply if it may be kept, and gives it the TTL that it is kept for.
  #store(request: DnsRequest, reply: Reply): Reply {
    if (!reply.written) return reply;
    const { question } = request;
    const type = cacheType(request, reply);
    const seconds = this.#lifetime(type, reply);
    const capped = {
      ...reply,
      answer: withTtl(reply.answer, seconds),
      authority: withTtl(reply.authority, seconds),
      additional: withTtl(reply.additional, seconds),
    };
    if (seconds > 0 && isKept(request, reply, type)) {
      const answering = answersQuestion(question, reply);
      this.#keep(
        request,
        type,
        new CacheItem(capped, { ttl: seconds, stored: this.#environment.clock.now(), answering }),
      );
    }
    return wantsAuthenticated(request) ? capped : { ...capped, authenticatedData: false };
  }

  #lifetime(type: ResponseType, reply: Reply): number {
    const { success, denial, failTtl } = this.#config;
    if (type === 'server-error') return Math.floor(failTtl);
    const half = type === 'name-error' || type === 'no-data' ? denial : success;
    const known = type === 'no-error' || type === 'name-error' || type === 'no-data';
    const ttl = known ? lowestTtl(reply, half.maxTtl) : FAILSAFE_TTL;
    return Math.min(Math.max(ttl, half.minTtl), half.maxTtl);
  }

  #keep(request: DnsRequest, type: ResponseType, item: CacheItem): void {
    const denial = type === 'name-error' || type === 'no-data' || type === 'server-error';
    const { except } = denial ? this.#config.denial : this.#config.success;
    if (matchZone(except, request.question.name) !== undefined) return;
    const key = keyOf(request);
    const store = denial ? this.#denial : this.#success;
    if (!denial) {
      const previous = this.#success.get(key);
      if (!item.answering) item.lastKnownGood = previous?.answering === true ? previous : previous?.lastKnownGood;
      if (item.answering) this.#denial.delete(key);
    }
    if (store.add(key, item)) this.#metrics.eviction(denial ? 'denial' : 'success');
    this.#metrics.entries(this.#success.size, this.#denial.size);
  }

  #wantsPrefetch(item: CacheItem, now: number): boolean {
    const { amount, duration, percentage } = this.#config.prefetch;
    if (amount === 0) return false;
    item.hit(now, duration);
    return item.hits >= amount && item.left(now) <= Math.ceil((percentage / 100) * item.ttl);
  }

  #begins(item: CacheItem, recheck: number): boolean {
    if (item.refreshing || (recheck > 0 && this.#environment.clock.now() < item.retryAfter)) return false;
    item.refreshing = true;
    return true;
  }

  #ends(item: CacheItem, refreshed: boolean): void {
    const recheck = this.#config.stale?.recheck ?? 0;
    item.retryAfter = recheck > 0 && !refreshed ? this.#environment.clock.now() + recheck : 0;
    item.refreshing = false;
  }

  // In the background; at most once at a time per item.
  #refreshLater(request: DnsRequest, { item, next, stale }: { item: CacheItem; next: Handler; stale: boolean }): void {
    if (!this.#begins(item, stale ? (this.#config.stale?.recheck ?? 0) : 0)) return;
    this.#metrics.prefetch();
    const { clock } = this.#environment;
    const asked = { ...request, client: { ...request.client, transport: 'tcp' as const } };
    void (async () => {
      const reply = await next(withAuthenticated(asked));
      const refreshed = !stale || this.#refreshes(request, reply);
      if (refreshed) this.#store(request, reply);
      const fresh = this.#success.get(keyOf(request)) ?? this.#denial.get(keyOf(request));
      if (refreshed) fresh?.resetHits(clock.now(), item.hits);
      this.#ends(item, refreshed);
    })();
  }

  async #verify(request: DnsRequest, item: CacheItem, next: Handler): Promise<Reply> {
    const { verifyTimeout = 0 } = this.#config.stale ?? {};
    const verified = (async () => {
      const reply = await next(withAuthenticated(request));
      const refreshed = this.#refreshes(request, reply);
      const stored = refreshed ? this.#store(request, reply) : undefined;
      this.#ends(item, refreshed);
      return stored;
    })();
    if (verifyTimeout === 0) return (await verified) ?? this.#serveStale(request, item);
    const { promise: late, resolve } = Promise.withResolvers<undefined>();
    using _timer = this.#environment.clock.schedule(verifyTimeout, () => resolve(undefined));
    return (await Promise.race([verified, late])) ?? this.#serveStale(request, item);
  }

  // RFC 8767: only an answer or a denial replaces what is stale, a failure does not.
  #refreshes(request: DnsRequest, reply: Reply): boolean {
    if (!reply.written || reply.truncated) return false;
    if (this.#config.stale?.preferPositive === true) return answersQuestion(request.question, reply);
    return reply.rcode === Rcode.NOERROR || reply.rcode === Rcode.NXDOMAIN;
  }
}

function keyOf({ question, message }: DnsRequest): string {
  const dnssec = ((message.edns?.flags ?? 0) & 0x8000) === 0 ? 0 : 1;
  const unchecked = (message.flags & Flag.CD) === 0 ? 0 : 1;
  return `${dnssec}${unchecked} ${question.type} ${question.class} ${question.name.toLowerCase()}`;
}

// As CoreDNS: it asks for AD whether or not the client did, and hides what the client did not ask for.
function withAuthenticated(request: DnsRequest): DnsRequest {
  return { ...request, message: { ...request.message, flags: request.message.flags | Flag.AD } };
}

function wantsAuthenticated(request: DnsRequest): boolean {
  return wantsDnssec(request) || (request.message.flags & Flag.AD) !== 0;
}

function hasSoa({ authority }: Reply): boolean {
  return authority.some(({ type }) => type === RecordType.SOA);
}

function cacheType({ question }: DnsRequest, reply: Reply): ResponseType {
  const type = responseType(question, reply);
  const empty = reply.answer.length > 0 && !answersQuestion(question, reply);
  return type === 'no-error' && hasSoa(reply) && empty ? 'no-data' : type;
}

function isKept({ question }: DnsRequest, reply: Reply, type: ResponseType): boolean {
  if (reply.truncated || type === 'other-error' || type === 'meta') return false;
  if (type === 'name-error' && !hasSoa(reply)) return false;
  const aliasOnly = reply.answer.length > 0 && !answersQuestion(question, reply);
  return !(type === 'no-error' && !hasSoa(reply) && aliasOnly);
}

function lowestTtl({ answer, authority, additional }: Reply, max: number): number {
  if (answer.length + authority.length + additional.length === 0) return FAILSAFE_TTL;
  return [...answer, ...authority, ...additional].reduce((lowest, { ttl }) => Math.min(lowest, ttl), max);
}
