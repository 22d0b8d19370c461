import { configError } from '../corefile/config-error.ts';
import { normalizeAll } from '../corefile/normalize-zone.ts';
import type { Directive, OptionLine } from '../corefile/parse-corefile.ts';
import { readArguments, readChoice, readDuration, readInteger, readOptions } from '../corefile/read-options.ts';

/** One half of the cache: answers, or denials. Times in seconds. */
export interface CacheHalf {
  readonly capacity: number;
  readonly maxTtl: number;
  readonly minTtl: number;
  /** Zones whose replies of this half are not kept. */
  readonly except: readonly string[];
}

export interface StaleConfig {
  /** Seconds after expiry. */
  readonly upTo: number;
  readonly verify: boolean;
  /** Milliseconds to wait for verification; 0 waits for its end. */
  readonly verifyTimeout: number;
  /** TTL of stale replies in seconds. */
  readonly ttl: number;
  /** Milliseconds after a failed refresh before the next; 0 tries each time. */
  readonly recheck: number;
  readonly preferPositive: boolean;
}

export interface CacheConfig {
  readonly zones: readonly string[];
  readonly success: CacheHalf;
  readonly denial: CacheHalf;
  /** Seconds that SERVFAIL is kept. */
  readonly failTtl: number;
  readonly keepTtl: boolean;
  readonly prefetch: { readonly amount: number; readonly duration: number; readonly percentage: number };
  readonly stale: StaleConfig | undefined;
}

const HOUR = 3600;
const MIN_TTL = 5;
const CAPACITY = 10_000;

type Draft = { -readonly [K in keyof CacheConfig]: CacheConfig[K] };

export function readCache(directive: Directive, blockZones: readonly string[]): CacheConfig {
  const [first] = directive.args;
  const ttl = first !== undefined && /^[-+]?\d+$/.test(first.text) ? readInteger(first, 1) : undefined;
  const zoneArgs = directive.args.slice(ttl === undefined ? 0 : 1).map((token) => token.text);
  const draft: Draft = {
    zones: zoneArgs.length === 0 ? blockZones : normalizeAll(zoneArgs),
    success: { capacity: CAPACITY, maxTtl: ttl ?? HOUR, minTtl: MIN_TTL, except: [] },
    denial: { capacity: CAPACITY, maxTtl: ttl ?? HOUR / 2, minTtl: MIN_TTL, except: [] },
    failTtl: MIN_TTL,
    keepTtl: false,
    prefetch: { amount: 0, duration: 60_000, percentage: 10 },
    stale: undefined,
  };
  let preferPositive: OptionLine | undefined;
  readOptions(directive, {
    success: (line) => {
      draft.success = readHalf(line, draft.success);
    },
    denial: (line) => {
      draft.denial = readHalf(line, draft.denial);
    },
    prefetch: (line) => {
      draft.prefetch = readPrefetch(line);
    },
    serve_stale: (line) => {
      draft.stale = readStale(line);
    },
    serve_stale_policy: (line) => {
      readArguments(line, 1, 1);
      readChoice(line.args[0]!, ['prefer_positive']);
      preferPositive = line;
    },
    servfail: (line) => {
      readArguments(line, 1, 1);
      draft.failTtl = readDuration(line.args[0]!) / 1000;
      // RFC 2308 allows no more.
      if (draft.failTtl > 300)
        throw configError(line.name, 'caching SERVFAIL responses over 5 minutes is not permitted');
    },
    disable: (line) => readDisable(line, draft),
    keepttl: (line) => {
      readArguments(line, 0, 0);
      draft.keepTtl = true;
    },
  });
  if (preferPositive !== undefined) {
    if (draft.stale === undefined) throw configError(preferPositive.name, 'serve_stale_policy requires serve_stale');
    draft.stale = { ...draft.stale, preferPositive: true };
  }
  return draft;
}

function readHalf(line: OptionLine, half: CacheHalf): CacheHalf {
  readArguments(line, 1, 3);
  const [capacity, maxTtl, minTtl] = line.args;
  return {
    ...half,
    capacity: readInteger(capacity!, 0),
    maxTtl: maxTtl === undefined ? half.maxTtl : readInteger(maxTtl, 1),
    minTtl: minTtl === undefined ? half.minTtl : readInteger(minTtl, 0),
  };
}

function readPrefetch(line: OptionLine): CacheConfig['prefetch'] {
  readArguments(line, 1, 3);
  const [amount, duration, percentage] = line.args;
  if (percentage !== undefined && !percentage.text.endsWith('%')) {
    throw configError(percentage, 'last character of percentage should be %');
  }
  return {
    amount: readInteger(amount!, 0),
    duration: duration === undefined ? 60_000 : readDuration(duration),
    percentage:
      percentage === undefined ? 10 : readInteger({ ...percentage, text: percentage.text.slice(0, -1) }, 10, 90),
  };
}

// serve_stale [UP_TO] [immediate [TTL [RECHECK]] | verify [TIMEOUT [TTL [RECHECK]]]]
function readStale(line: OptionLine): StaleConfig {
  readArguments(line, 0, 5);
  const [upTo, mode, ...rest] = line.args;
  const verify =
    mode !== undefined && readChoice({ ...mode, text: mode.text.toLowerCase() }, ['immediate', 'verify']) === 'verify';
  const timeout = verify ? rest.shift() : undefined;
  const [ttl, recheck, extra] = rest;
  if (extra !== undefined) throw configError(extra, `unexpected argument '${extra.text}'`);
  const ttlSeconds = ttl === undefined ? 0 : readDuration(ttl) / 1000;
  if (!Number.isInteger(ttlSeconds)) {
    throw configError(ttl!, 'serve_stale response TTL must be a whole number of seconds');
  }
  const recheckMs = recheck === undefined ? 0 : readDuration(recheck);
  if (recheckMs > 300_000) throw configError(recheck!, 'serve_stale failure recheck cannot exceed 5 minutes');
  return {
    upTo: upTo === undefined ? HOUR : readDuration(upTo) / 1000,
    verify,
    verifyTimeout: timeout === undefined ? 0 : readDuration(timeout),
    ttl: ttlSeconds,
    recheck: recheckMs,
    preferPositive: false,
  };
}

function readDisable(line: OptionLine, draft: Draft): void {
  readArguments(line, 1);
  const [kind, ...zones] = line.args;
  const half = readChoice(kind!, ['success', 'denial']);
  const except = zones.length === 0 ? ['.'] : normalizeAll(zones.map((token) => token.text));
  draft[half] = { ...draft[half], except };
}
