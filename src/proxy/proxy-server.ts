import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { EventRecorder } from '../kube/event-recorder.ts';
import type { Node } from '../kube/generated/types.ts';
import type { Informer } from '../kube/informer.ts';
import type { SharedInformers } from '../kube/informers.ts';
import { resources } from '../kube/resources.ts';
import type { Family } from '../netfilter/runner.ts';
import { DEFAULT_PROXY_CONFIG, type ProxyConfig } from './config/proxy-config.ts';
import { createBackend, type ProxyRunners } from './create-backend.ts';
import { buildNodeNetwork } from './facts/build-node-network.ts';
import { FamilyProxy } from './family-proxy.ts';
import { HealthState } from './health/health-state.ts';
import { ProxyMetrics } from './metrics/proxy-metrics.ts';
import type { ProxyState, SyncReport } from './proxy-backend.ts';
import type { ServiceFactsFeed } from './service-facts-feed.ts';

/** A line of the proxy's log. */
export interface ProxyLog {
  readonly level: 'info' | 'warning' | 'error';
  readonly message: string;
  readonly error?: unknown;
}

export interface ProxyOptions {
  /** For Events. */
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly informers: SharedInformers;
  /** Made once per process with feedServiceFacts(). */
  readonly services: ServiceFactsFeed;
  readonly nodeName: string;
  /** What differs from DEFAULT_PROXY_CONFIG. */
  readonly config?: Partial<ProxyConfig>;
  /** Default both. */
  readonly families?: readonly Family[];
  readonly runners: ProxyRunners;
  /** Addresses of all interfaces of the node, loopback included; read anew at each sync. */
  readonly addresses: () => readonly string[];
  /** Reads and writes kernel parameters of the node's network namespace; without it none is touched. */
  readonly sysctl?: ProxySysctl;
  readonly log: (entry: ProxyLog) => void;
}

/** Kernel parameters of one network namespace (`net.ipv4.conf.all.route_localnet`). */
export interface ProxySysctl {
  /** Undefined when the kernel lacks it. */
  read(key: string): string | undefined;
  write(key: string, value: string): void;
}

/** A running proxy. Disposing of it leaves its rules in the kernel, as kube-proxy does. */
export interface Proxy extends AsyncDisposable {
  /** Resolves when the rules of all families have been written for the first time. */
  readonly synced: Promise<void>;
  readonly health: HealthState;
  /** Prometheus' text format. */
  metrics(): string;
  /** Writes all rules anew. */
  resync(): void;
}

/** Starts the proxy of one node. */
export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const server = new ProxyServer(options);
  await server.start();
  return server;
}

const FAMILIES: readonly Family[] = ['ipv4', 'ipv6'];

class ProxyServer implements Proxy {
  readonly health: HealthState;
  readonly #options: ProxyOptions;
  readonly #config: ProxyConfig;
  readonly #metrics: ProxyMetrics;
  readonly #recorder: EventRecorder;
  readonly #nodes: Informer<Node>;
  readonly #families: readonly Family[];
  readonly #started = Promise.withResolvers<void>();
  readonly #quarantined = new Set<string>();
  #proxies: readonly FamilyProxy[] = [];
  #subscription: Disposable | undefined;
  #node: Node | undefined;
  #closed = false;

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.#config = { ...DEFAULT_PROXY_CONFIG, ...options.config };
    this.#families = options.families ?? FAMILIES;
    this.health = new HealthState(options.clock, 2 * this.#config.syncPeriodMs);
    this.#metrics = new ProxyMetrics(this.#config.mode, this.#families);
    const { client, clock, nodeName, log } = options;
    const onError = (error: unknown): void => log({ level: 'warning', message: 'writing an Event failed', error });
    this.#recorder = new EventRecorder({ client, clock, component: 'kube-proxy', host: nodeName, onError });
    this.#nodes = options.informers.for(resources.nodes);
  }

  get synced(): Promise<void> {
    return this.#started.promise.then(() => Promise.all(this.#proxies.map(({ synced }) => synced))).then(() => {});
  }

  metrics(): string {
    return this.#metrics.text();
  }

  resync(): void {
    for (const proxy of this.#proxies) proxy.request({ full: true });
  }

  async start(): Promise<void> {
    const beLiberal = this.#prepareKernel();
    this.#proxies = await Promise.all(this.#families.map((family) => this.#createFamily(family, beLiberal)));
    this.#nodes.onChange(({ key, current }) => this.#nodeChanged(key, current));
    this.#subscription = this.#options.services.onServiceCIDRs(() => this.#refresh());
    void this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#subscription?.[Symbol.dispose]();
    this.#recorder[Symbol.dispose]();
    await Promise.all(this.#proxies.map((proxy) => proxy[Symbol.asyncDispose]()));
  }

  async #run(): Promise<void> {
    await Promise.all([this.#options.services.synced, this.#nodes.start()]);
    if (this.#closed) return;
    for (const proxy of this.#proxies) proxy.start();
    this.#started.resolve();
  }

  async #createFamily(family: Family, conntrackTcpBeLiberal: boolean): Promise<FamilyProxy> {
    const { clock, runners, services, log } = this.#options;
    const { mode, syncPeriodMs, minSyncPeriodMs } = this.#config;
    return new FamilyProxy({
      family,
      clock,
      facts: services.facts,
      backend: await createBackend({ mode, family, runners, conntrackTcpBeLiberal }),
      node: () => this.#buildNode(family),
      conntrack: runners.conntrack,
      health: this.health,
      metrics: this.#metrics,
      syncPeriodMs,
      minSyncPeriodMs,
      onSynced: (state, report) => this.#synced(state, report),
      onError: (message, error) => log({ level: 'error', message, error }),
    });
  }

  #buildNode(family: Family): ReturnType<typeof buildNodeNetwork> {
    const { nodeName, services, addresses } = this.#options;
    return buildNodeNetwork({
      config: this.#config,
      nodeName,
      family,
      node: this.#node,
      localAddresses: this.#config.nodePortAddresses.length === 0 ? [] : addresses(),
      serviceCIDRs: services.serviceCIDRs(),
    });
  }

  #nodeChanged(key: string, current: Node | undefined): void {
    if (key !== this.#options.nodeName || this.#closed) return;
    // A Node that is deleted says nothing about addresses: what was known stays until it comes back.
    this.#node = current ?? this.#node;
    this.health.setNode(current);
    this.#refresh();
  }

  #refresh(): void {
    for (const proxy of this.#proxies) proxy.request();
  }

  #synced(_state: ProxyState, { quarantined }: SyncReport): void {
    const held = new Set(quarantined.map(({ key }) => key));
    for (const key of this.#quarantined) if (!held.has(key)) this.#quarantined.delete(key);
    for (const { key, cause } of quarantined) {
      if (this.#quarantined.has(key)) continue;
      this.#quarantined.add(key);
      this.#reportQuarantine(key, cause);
    }
  }

  #reportQuarantine(key: string, cause: unknown): void {
    const [namespace = '', rest = ''] = key.split('/');
    const [name = ''] = rest.split(':');
    const why = cause instanceof Error ? cause.message : String(cause);
    const message = `node ${this.#options.nodeName} cannot write the rules of ${key}: ${why}`;
    const object = { metadata: { namespace, name } };
    this.#recorder.record(resources.services, object, { type: 'Warning', reason: 'FailedToWriteRules', message });
    this.#options.log({ level: 'error', message, error: cause });
  }

  // Node ports on 127.0.0.1 need packets from there to be routed; nf_conntrack decides about INVALID packets.
  #prepareKernel(): boolean {
    const { sysctl } = this.#options;
    if (sysctl === undefined) return false;
    const { mode, localhostNodePorts, nodePortAddresses } = this.#config;
    const loopback =
      nodePortAddresses.length === 0 || nodePortAddresses.some((cidr) => /^(0\.0\.0\.0|127)\b/.test(cidr));
    if (mode === 'iptables' && localhostNodePorts && loopback) sysctl.write('net.ipv4.conf.all.route_localnet', '1');
    return (sysctl.read('net.netfilter.nf_conntrack_tcp_be_liberal') ?? '0') !== '0';
  }
}
