import { configError } from '../corefile/config-error.ts';
import { normalizeAll } from '../corefile/normalize-zone.ts';
import type { Directive } from '../corefile/parse-corefile.ts';
import { readArguments, readOptions } from '../corefile/read-options.ts';
import type { Token } from '../corefile/tokens.ts';
import { searchPathsOf } from '../search/search-paths.ts';
import { type DnsRequest, withQuestion } from '../server/dns-request.ts';
import type { Reply } from '../server/reply.ts';
import { isSubdomain, matchZone } from '../wire/name.ts';
import { Rcode } from '../wire/rcode.ts';
import { nameRecord } from '../wire/record.ts';
import { RecordType } from '../wire/record-type.ts';
import { once } from './once.ts';
import type { Handler, Plugin, PluginEnvironment } from './plugin.ts';

/** autopath: walks the client's search path on the server, so that the client asks once. */
export function autopathPlugin(directives: readonly Directive[], environment: PluginEnvironment): readonly Plugin[] {
  const directive = once(directives);
  readArguments(directive, 1);
  readOptions(directive, {});
  const words = directive.args.slice(0, -1).map((token) => token.text);
  const zones = words.length === 0 ? environment.zones : normalizeAll(words);
  return [new AutopathPlugin(directive.args.at(-1)!, zones, environment)];
}

class AutopathPlugin implements Plugin {
  readonly name = 'autopath';
  readonly #source: Token;
  readonly #zones: readonly string[];
  readonly #environment: PluginEnvironment;
  #searchOf: (request: DnsRequest) => readonly string[] | undefined = () => undefined;

  /** `source` is `@plugin` or a file in the format of resolv.conf. */
  constructor(source: Token, zones: readonly string[], environment: PluginEnvironment) {
    this.#source = source;
    this.#zones = zones;
    this.#environment = environment;
  }

  readonly leavesAlone = (zone: string): boolean =>
    !this.#zones.some((own) => isSubdomain(own, zone) || isSubdomain(zone, own));

  readonly start = async (): Promise<void> => {
    const { text } = this.#source;
    if (text.startsWith('@')) {
      const plugin = this.#environment.siblings().find(({ name }) => name === text.slice(1));
      if (plugin === undefined) return;
      const { searchPath } = plugin;
      if (searchPath === undefined) throw configError(this.#source, `${text.slice(1)} knows no search paths`);
      this.#searchOf = searchPath;
      return;
    }
    const file = await this.#environment.readFile(text);
    if (file === undefined) throw configError(this.#source, `failed to parse "${text}": no such file`);
    const search = normalizeAll(searchPathsOf(file));
    this.#searchOf = () => [...search, ''];
  };

  readonly handle = (request: DnsRequest, next: Handler): Reply | Promise<Reply> => {
    const name = request.question.name.toLowerCase();
    if (matchZone(this.#zones, name) === undefined) return next(request);
    const search = this.#searchOf(request) ?? [];
    const [first] = search;
    if (first === undefined || first === name || !isSubdomain(first, name)) return next(request);
    const base = request.question.name.slice(0, Math.max(0, name.length - first.length));
    return this.#walk(request, { base, search, next });
  };

  // The first name that is not denied wins; when all are, the client gets the first denial and walks itself.
  async #walk(
    request: DnsRequest,
    { base, search, next }: { base: string; search: readonly string[]; next: Handler },
  ): Promise<Reply> {
    let firstReply: Reply | undefined;
    for (const path of search) {
      const reply = await next(withQuestion(request, { ...request.question, name: `${base}${path}` }));
      if (reply.error !== undefined) return reply;
      firstReply ??= reply;
      if (!reply.written || reply.rcode === Rcode.NXDOMAIN) continue;
      const help = 'Counter of requests that did autopath.';
      const { metrics, serverLabel } = this.#environment;
      metrics.counter('coredns_autopath_success_total', help, ['server']).with(serverLabel).value++;
      return withAlias(reply, request.question.name);
    }
    return firstReply!;
  }
}

// A CNAME from the name asked to the one found, with the TTL of what was found.
function withAlias(reply: Reply, original: string): Reply {
  const found = reply.answer.find(({ name }) => name.toLowerCase() !== original.toLowerCase());
  if (found === undefined) return reply;
  return { ...reply, answer: [nameRecord(original, RecordType.CNAME, found.ttl, found.name), ...reply.answer] };
}
