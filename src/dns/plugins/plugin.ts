import type { Clock, Random } from '../../kube/clock.ts';
import type { Directive, ServerBlock } from '../corefile/parse-corefile.ts';
import type { MetricsRegistry } from '../metrics/registry.ts';
import type { DnsLog } from '../server/dns-log.ts';
import type { DnsNetwork } from '../server/dns-network.ts';
import type { DnsRequest } from '../server/dns-request.ts';
import type { Reply } from '../server/reply.ts';
import type { ResourceRecord } from '../wire/record.ts';
import type { AnswerTable } from '../zone/answer-table.ts';
import type { ZoneProvider } from '../zone/cluster-zone.ts';

/** Networks that other resolvers can be asked in: all, none, or these CIDRs. */
export type UpstreamReach = 'on' | 'off' | readonly string[];

/** Answers a request, at once where it can. */
export type Handler = (request: DnsRequest) => Reply | Promise<Reply>;

/** A page that a plugin serves over HTTP; pages of the same address share one server. */
export interface HttpPage {
  /** IP literal, '' for all addresses. */
  readonly address: string;
  readonly port: number;
  readonly path: string;
  readonly render: () => { readonly status: number; readonly body: string; readonly type: string };
}

/** One plugin of a server block, built from its lines in the Corefile. */
export interface Plugin {
  readonly name: string;
  /** Answers or passes on to `next`; absent for plugins that only listen or watch. */
  readonly handle?: (request: DnsRequest, next: Handler) => Reply | Promise<Reply>;
  /** True when queries of types A, AAAA, SRV and PTR in this zone, and replies with this TTL, pass through it unchanged. */
  readonly leavesAlone?: (zone: string, ttl: number) => boolean;
  /** The precompiled answers of a cluster zone, and whether names it lacks are denied (not passed on). */
  readonly fastAnswers?: { readonly table: AnswerTable; readonly denies: (zone: string) => boolean };
  /** True when it puts addresses in random order. */
  readonly shuffles?: boolean;
  /** All records of one of its zones for a transfer, or the SOA alone when `serial` is current; undefined for foreign zones. */
  readonly transfer?: (zone: string, serial: number) => readonly ResourceRecord[] | undefined;
  /** The search path of a client, the last entry being '', for autopath; undefined when it is unknown. */
  readonly searchPath?: (request: DnsRequest) => readonly string[] | undefined;
  readonly pages?: readonly HttpPage[];
  /** For the ready plugin; absent means always. */
  readonly isReady?: () => boolean;
  /** Milliseconds that health and DNS go on after the server was told to stop. */
  readonly lameduck?: number;
  /** Milliseconds between looks at the Corefile. */
  readonly reloadInterval?: number;
  /** Resolves when what it needs is open; rejects when it cannot work. */
  readonly start?: () => Promise<void>;
  /** Called once the sockets are open. */
  readonly onListening?: (port: number) => void;
  /** Lets go of timers and sockets. */
  readonly stop?: () => Promise<void>;
}

/** What plugins are built with. */
export interface PluginEnvironment {
  readonly block: ServerBlock;
  /** Zones of the block, absolute, lower case. */
  readonly zones: readonly string[];
  /** Addresses of the bind plugin; [''] means all. */
  readonly listenHosts: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: DnsLog;
  readonly metrics: MetricsRegistry;
  /** The `server` label of metrics: `dns://:53`. */
  readonly serverLabel: string;
  readonly network: DnsNetwork;
  readonly zone: ZoneProvider;
  /** Addresses of this server, without loopback. */
  readonly ownAddresses: () => readonly string[];
  /** Asks the whole server again, from the first plugin on. */
  readonly ask: Handler;
  /** Text of a file, undefined when there is none. */
  readonly readFile: (path: string) => Promise<string | undefined>;
  /** Where forward may ask: anywhere, nowhere, or only in these networks (CIDR). Otherwise it answers SERVFAIL with an extended error. */
  readonly upstream: UpstreamReach;
  /** Plugins of the same block, once they are built. */
  readonly siblings: () => readonly Plugin[];
  /** Plugins of all blocks, once they are built. */
  readonly allPlugins: () => readonly Plugin[];
  /** Ends the server with this error: what CoreDNS calls fatal. */
  readonly fail: (error: Error) => void;
}

/** Builds a plugin from all its lines in one block; throws ERR_DNS_CONFIG. */
export type PluginFactory = (directives: readonly Directive[], environment: PluginEnvironment) => readonly Plugin[];
