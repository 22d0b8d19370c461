import { configError } from '../corefile/config-error.ts';
import { normalizeAll, normalizeZones } from '../corefile/normalize-zone.ts';
import type { Directive, OptionLine } from '../corefile/parse-corefile.ts';
import { readArguments, readChoice, readDuration, readInteger, readOptions } from '../corefile/read-options.ts';
import type { Token } from '../corefile/tokens.ts';
import { parseIp } from '../wire/ip.ts';
import { encodeName } from '../wire/name.ts';
import { parseRcode, Rcode } from '../wire/rcode.ts';

/** One forward block of a Corefile. Times in milliseconds. */
export interface ForwardConfig {
  readonly from: string;
  /** IP literals with ports, or paths of resolv.conf files. */
  readonly to: readonly UpstreamWord[];
  readonly except: readonly string[];
  readonly policy: 'random' | 'round_robin' | 'sequential';
  readonly forceTcp: boolean;
  readonly preferUdp: boolean;
  /** 0 never takes an upstream for down. */
  readonly maxFails: number;
  readonly healthInterval: number;
  readonly healthDomain: string;
  readonly healthRecursion: boolean;
  readonly expire: number;
  readonly readTimeout: number;
  /** 0 means no limit. */
  readonly maxConcurrent: number;
  /** 0 means no limit; undefined two per upstream. */
  readonly maxConnectAttempts: number | undefined;
  readonly failover: readonly number[];
  readonly next: readonly number[];
  readonly nextOnNodata: boolean;
  readonly failfast: boolean;
}

export interface UpstreamWord {
  readonly token: Token;
  readonly address: string | undefined;
  readonly port: number;
}

const MAX_UPSTREAMS = 15;

const defaults = {
  except: [],
  policy: 'random',
  forceTcp: false,
  preferUdp: false,
  maxFails: 2,
  healthInterval: 500,
  healthDomain: '.',
  healthRecursion: true,
  expire: 10_000,
  readTimeout: 2000,
  maxConcurrent: 0,
  maxConnectAttempts: undefined,
  failover: [],
  next: [],
  nextOnNodata: false,
  failfast: false,
} as const satisfies Partial<ForwardConfig>;

type Draft = { -readonly [K in keyof ForwardConfig]: ForwardConfig[K] };

export function readForward(directive: Directive): ForwardConfig {
  readArguments(directive, 2);
  const [fromToken, ...to] = directive.args as readonly [Token, ...Token[]];
  const from = normalizeZones(fromToken.text)?.[0];
  if (from === undefined) throw configError(fromToken, `unable to normalize '${fromToken.text}'`);
  const draft: Draft = { ...defaults, from, to: to.map(readUpstream) };
  readOptions(directive, { ...textOptions(draft), ...numberOptions(draft), ...flagOptions(draft) });
  if (to.length > MAX_UPSTREAMS) {
    throw configError(directive.name, `more than ${MAX_UPSTREAMS} TOs configured: ${to.length}`);
  }
  return draft;
}

function textOptions(draft: Draft): Record<string, (line: OptionLine) => void> {
  const rcodes = (line: OptionLine): number[] => {
    readArguments(line, 1);
    return line.args.map((token) => {
      const rcode = parseRcode(token.text);
      if (rcode === undefined) throw configError(token, `${token.text} is not a valid rcode`);
      return rcode;
    });
  };
  return {
    except: (line) => {
      draft.except = [...draft.except, ...normalizeAll(readArguments(line, 1))];
    },
    policy: (line) => {
      readArguments(line, 1, 1);
      draft.policy = readChoice(line.args[0]!, ['random', 'round_robin', 'sequential']);
    },
    failover: (line) => {
      draft.failover = rcodes(line);
      if (draft.failover.includes(Rcode.NOERROR)) throw configError(line.name, 'NoError cannot be used in failover');
    },
    next: (line) => {
      draft.next = rcodes(line);
    },
    health_check: (line) => readHealthCheck(line, draft),
  };
}

function numberOptions(draft: Draft): Record<string, (line: OptionLine) => void> {
  const one = (line: OptionLine): Token => {
    readArguments(line, 1, 1);
    return line.args[0]!;
  };
  return {
    max_fails: (line) => {
      draft.maxFails = readInteger(one(line), 0);
    },
    max_connect_attempts: (line) => {
      draft.maxConnectAttempts = readInteger(one(line), 0);
    },
    max_concurrent: (line) => {
      draft.maxConcurrent = readInteger(one(line), 0);
    },
    // Sockets are opened as queries need them; these two bound a pool that CoreDNS keeps.
    max_idle_conns: (line) => void readInteger(one(line), 0),
    max_age: (line) => void readDuration(one(line)),
    expire: (line) => {
      draft.expire = readDuration(one(line));
    },
    read_timeout: (line) => {
      draft.readTimeout = readDuration(one(line), 1);
    },
  };
}

function flagOptions(draft: Draft): Record<string, (line: OptionLine) => void> {
  const flag = (set: () => void) => (line: OptionLine) => {
    readArguments(line, 0, 0);
    set();
  };
  return {
    force_tcp: flag(() => {
      draft.forceTcp = true;
    }),
    prefer_udp: flag(() => {
      draft.preferUdp = true;
    }),
    next_on_nodata: flag(() => {
      draft.nextOnNodata = true;
    }),
    failfast_all_unhealthy_upstreams: flag(() => {
      draft.failfast = true;
    }),
  };
}

function readHealthCheck(line: OptionLine, draft: Draft): void {
  readArguments(line, 1);
  const [interval, ...words] = line.args;
  draft.healthInterval = readDuration(interval!);
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (word.text === 'no_rec') draft.healthRecursion = false;
    else if (word.text === 'domain' && words[i + 1] !== undefined) {
      const domain = normalizeZones(words[++i]!.text)?.[0];
      if (domain === undefined || encodeName(domain) === undefined) {
        throw configError(word, `health_check: invalid domain name ${words[i]!.text}`);
      }
      draft.healthDomain = domain;
    } else throw configError(word, `health_check: unknown option ${word.text}`);
  }
}

function readUpstream(token: Token): UpstreamWord {
  const scheme = /^([a-z]+):\/\//.exec(token.text)?.[1];
  if (scheme !== undefined && scheme !== 'dns') {
    const hint = 'Only plain DNS upstreams are spoken to: an IP address, with a port if it is not 53.';
    throw configError(token, `'${scheme}' is not supported as a destination protocol in forward`, hint);
  }
  const text = scheme === undefined ? token.text : token.text.slice(scheme.length + 3);
  if (parseIp(text) !== undefined) return { token, address: text, port: 53 };
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text);
  const address = match?.[1] ?? match?.[2] ?? '';
  if (parseIp(address) !== undefined) return { token, address, port: Number(match?.[3] ?? 53) };
  // Anything else is a file in the format of resolv.conf.
  if (!text.includes('/')) throw configError(token, `not an IP address or file: "${token.text}"`);
  return { token, address: undefined, port: 53 };
}
