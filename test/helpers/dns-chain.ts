import { parseCorefile } from '../../src/dns/corefile/parse-corefile.ts';
import { MetricsRegistry } from '../../src/dns/metrics/registry.ts';
import type { Plugin } from '../../src/dns/plugins/plugin.ts';
import type { DnsNetwork } from '../../src/dns/server/dns-network.ts';
import { acceptPacket, type DnsRequest } from '../../src/dns/server/dns-request.ts';
import type { Reply } from '../../src/dns/server/reply.ts';
import { buildServerConfig, type ServerConfig } from '../../src/dns/server/server-config.ts';
import type { Edns } from '../../src/dns/wire/edns.ts';
import { encodeMessage, Flag } from '../../src/dns/wire/message.ts';
import { printRecord } from '../../src/dns/wire/record-text.ts';
import { parseRecordType, RecordClass } from '../../src/dns/wire/record-type.ts';
import type { ZoneProvider } from '../../src/dns/zone/cluster-zone.ts';
import { ObjectZone } from '../../src/dns/zone/object-zone.ts';
import type { Clock } from '../../src/kube/clock.ts';
import type { KubeObject } from '../../src/kube/resources.ts';
import { seededRandom } from './seeded-random.ts';
import { SteppedClock } from './stepped-clock.ts';

export interface ChainOptions {
  readonly objects?: readonly KubeObject[];
  /** Other than the objects'. */
  readonly zone?: ZoneProvider;
  readonly clock?: Clock;
  readonly ownAddresses?: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
  readonly upstream?: 'on' | 'off';
  readonly random?: () => number;
}

export interface RequestOptions {
  readonly transport?: 'udp' | 'tcp';
  readonly from?: string;
  readonly flags?: number;
  readonly edns?: Partial<Edns>;
  readonly class?: number;
}

/** Where no test may open a socket. */
const noNetwork: DnsNetwork = {
  bindUdp: () => Promise.reject(new Error('no sockets here')),
  listenTcp: () => Promise.reject(new Error('no sockets here')),
  openUdp: () => Promise.reject(new Error('no sockets here')),
  connectTcp: () => {
    throw new Error('no sockets here');
  },
};

/** The plugins of a Corefile without sockets: asked directly, stepped by a clock. */
export class DnsChain {
  /** The objects that it was built with, to be replaced; not in use when it was built on another zone. */
  readonly zone: ObjectZone;
  readonly metrics = new MetricsRegistry();
  readonly logged: string[] = [];
  readonly failures: Error[] = [];
  readonly files: Record<string, string>;
  config!: ServerConfig;

  private constructor(zone: ObjectZone, files: Readonly<Record<string, string>>) {
    this.zone = zone;
    this.files = { ...files };
  }

  static async build(corefile: string, options: ChainOptions = {}): Promise<DnsChain> {
    const { clock = new SteppedClock(), objects = [], files = {}, ownAddresses = [] } = options;
    const chain = new DnsChain(new ObjectZone(clock, objects), files);
    chain.config = await buildServerConfig(parseCorefile({ text: corefile }), {
      clock,
      random: options.random ?? seededRandom(7),
      log: (level, line) => void chain.logged.push(`${level}: ${line}`),
      metrics: chain.metrics,
      network: noNetwork,
      zone: options.zone ?? chain.zone,
      ownAddresses: () => ownAddresses,
      readFile: async (path) => chain.files[path],
      upstream: options.upstream ?? 'on',
      fail: (error) => void chain.failures.push(error),
    });
    for (const plugin of chain.config.plugins) await plugin.start?.();
    return chain;
  }

  plugin(name: string): Plugin {
    return this.config.plugins.find((plugin) => plugin.name === name)!;
  }

  /** Asks the first listening address. */
  async ask(name: string, type: string, options: RequestOptions = {}): Promise<Reply> {
    return await this.config.listen[0]!.query.dispatcher.serve(buildRequest(name, type, options));
  }

  /** The answer section as zone file lines. */
  async answer(name: string, type: string, options: RequestOptions = {}): Promise<readonly string[]> {
    return (await this.ask(name, type, options)).answer.map(printRecord);
  }
}

/** A request as it comes off the wire. */
export function buildRequest(name: string, type: string, options: RequestOptions = {}): DnsRequest {
  const bytes = buildQuery(name, type, options);
  const client = { address: options.from ?? '192.0.2.99', port: 40000, transport: options.transport ?? 'udp' } as const;
  const accepted = acceptPacket(bytes, client);
  if (accepted.kind !== 'accepted') throw new Error(`the test's own query is ${accepted.kind}`);
  return accepted.request;
}

/** The packet of a query. */
export function buildQuery(name: string, type: string, options: RequestOptions = {}): Uint8Array {
  const { edns } = options;
  return encodeMessage({
    id: 0x1234,
    flags: options.flags ?? Flag.RD,
    questions: [{ name, type: parseRecordType(type)!, class: options.class ?? RecordClass.IN }],
    answer: [],
    authority: [],
    additional: [],
    edns: edns && { udpSize: 1232, version: 0, flags: 0, extendedRcode: 0, options: [], ...edns },
  });
}
