import { configError } from '../corefile/config-error.ts';
import { normalizeAll } from '../corefile/normalize-zone.ts';
import type { Directive, OptionLine } from '../corefile/parse-corefile.ts';
import { readArguments, readDuration, readInteger } from '../corefile/read-options.ts';
import { HostsTable } from '../hosts/hosts-table.ts';
import type { DnsRequest } from '../server/dns-request.ts';
import { bareReply, buildReply, type Reply } from '../server/reply.ts';
import { addressOfReverse } from '../wire/ip.ts';
import { absoluteName, isSubdomain, matchZone } from '../wire/name.ts';
import { Rcode } from '../wire/rcode.ts';
import { addressRecord, nameRecord, type ResourceRecord } from '../wire/record.ts';
import { RecordType } from '../wire/record-type.ts';
import { readFallthrough } from './kubernetes.ts';
import { once } from './once.ts';
import type { Handler, Plugin, PluginEnvironment } from './plugin.ts';

interface HostsConfig {
  readonly path: string;
  readonly origins: readonly string[];
  readonly inline: string;
  readonly fallthrough: readonly string[];
  readonly fallthroughUnsupported: boolean;
  readonly reverse: boolean;
  readonly ttl: number;
  /** Milliseconds; 0 reads the file once. */
  readonly reload: number;
}

/** hosts: answers from a file in the format of /etc/hosts and from lines in the Corefile. */
export function hostsPlugin(directives: readonly Directive[], environment: PluginEnvironment): readonly Plugin[] {
  return [new HostsPlugin(readHosts(once(directives), environment.zones), environment)];
}

function readHosts(directive: Directive, blockZones: readonly string[]): HostsConfig {
  const [path, ...zones] = directive.args.map((token) => token.text);
  const inline: string[] = [];
  const config = {
    path: path ?? '/etc/hosts',
    origins: zones.length === 0 ? blockZones : normalizeAll(zones),
    ...{ fallthrough: [] as readonly string[], fallthroughUnsupported: false, reverse: true, ttl: 3600, reload: 5000 },
  };
  for (const line of directive.options) readHostsLine(line, config, inline);
  if (config.fallthroughUnsupported && config.fallthrough.length === 0) {
    throw configError(directive.name, 'fallthrough_unsupported requires fallthrough');
  }
  return { ...config, inline: inline.join('\n') };
}

function readHostsLine(
  line: OptionLine,
  config: { -readonly [K in keyof Omit<HostsConfig, 'inline'>]: HostsConfig[K] },
  inline: string[],
): void {
  switch (line.name.text) {
    case 'fallthrough':
      config.fallthrough = readFallthrough(line);
      return;
    case 'fallthrough_unsupported':
      readArguments(line, 0, 0);
      config.fallthroughUnsupported = true;
      return;
    case 'no_reverse':
      config.reverse = false;
      return;
    case 'ttl':
      readArguments(line, 1);
      config.ttl = readInteger(line.args[0]!, 1, 65535);
      return;
    case 'reload':
      readArguments(line, 1, 1);
      config.reload = readDuration(line.args[0]!);
      return;
    default:
      // Lines of addresses and names stand before fallthrough.
      if (config.fallthrough.length > 0) throw configError(line.name, `unknown property '${line.name.text}'`);
      inline.push([line.name, ...line.args].map((token) => token.text).join(' '));
  }
}

class HostsPlugin implements Plugin {
  readonly name = 'hosts';
  readonly #config: HostsConfig;
  readonly #environment: PluginEnvironment;
  readonly #inline: HostsTable;
  #file: HostsTable;
  #text: string | undefined;
  #timer: Disposable | undefined;

  constructor(config: HostsConfig, environment: PluginEnvironment) {
    this.#config = config;
    this.#environment = environment;
    this.#inline = new HostsTable(config.inline, config);
    this.#file = new HostsTable('', config);
  }

  readonly leavesAlone = (zone: string): boolean =>
    !zone.endsWith('.arpa.') && !this.#config.origins.some((own) => isSubdomain(own, zone) || isSubdomain(zone, own));

  readonly start = async (): Promise<void> => {
    await this.#read();
    if (this.#text === undefined) {
      this.#environment.log('warning', `plugin/hosts: File does not exist: ${this.#config.path}`);
    }
    this.#watch();
  };

  readonly stop = async (): Promise<void> => this.#timer?.[Symbol.dispose]();

  readonly handle = (request: DnsRequest, next: Handler): Reply | Promise<Reply> => {
    const { type } = request.question;
    const name = request.question.name.toLowerCase();
    if (type === RecordType.PTR) {
      const names = this.#namesOf(addressOfReverse(name) ?? '');
      if (names.length === 0) return next(request);
      return this.#answer(names.map((target) => nameRecord(name, type, this.#config.ttl, absoluteName(target))));
    }
    if (matchZone(this.#config.origins, name) === undefined) return next(request);
    const addresses = this.#addressesOf(name);
    const answer = addresses.filter((record) => record.type === type);
    const known = type === RecordType.A || type === RecordType.AAAA;
    const falls = matchZone(this.#config.fallthrough, name) !== undefined;
    if (!known && this.#config.fallthroughUnsupported && falls) return next(request);
    if (addresses.length > 0) return this.#answer(answer);
    // As CoreDNS: there is no SOA to deny a name with.
    return falls ? next(request) : bareReply(this.name, Rcode.SERVFAIL);
  };

  #answer(answer: readonly ResourceRecord[]): Reply {
    return buildReply(this.name, { authoritative: true, answer });
  }

  #addressesOf(name: string): readonly ResourceRecord[] {
    const addresses = [...this.#file.addresses(name), ...this.#inline.addresses(name)];
    return addresses.flatMap((address) => addressRecord(name, this.#config.ttl, address) ?? []);
  }

  #namesOf(address: string): readonly string[] {
    return [...this.#file.names(address), ...this.#inline.names(address)];
  }

  async #read(): Promise<void> {
    const text = await this.#environment.readFile(this.#config.path);
    if (text === undefined || text === this.#text) return;
    this.#text = text;
    this.#file = new HostsTable(text, this.#config);
    const { metrics, clock } = this.#environment;
    const entries = metrics.gauge('coredns_hosts_entries', 'The combined number of entries in hosts and Corefile.', [
      'path',
    ]);
    entries.with(this.#config.path).value = this.#file.size + this.#inline.size;
    const help = 'The timestamp of the last reload of hosts file.';
    metrics.gauge('coredns_hosts_reload_timestamp_seconds', help).with().value = clock.now() / 1000;
  }

  #watch(): void {
    if (this.#config.reload === 0) return;
    this.#timer = this.#environment.clock.schedule(this.#config.reload, () => {
      this.#watch();
      void this.#read().catch((error: Error) => {
        this.#environment.log('warning', `plugin/hosts: ${this.#config.path}: ${error.message}`);
      });
    });
  }
}
