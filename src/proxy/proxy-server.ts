import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { EventRecorder } from '../kube/event-recorder.ts';
import type { Node } from '../kube/generated/types.ts';
import type { Informer } from '../kube/informer.ts';
import type { SharedInformers } from '../kube/informers.ts';
import { resources } from '../kube/resources.ts';
import type { Family } from '../netfilter/runner.ts';
import { DEFAULT_PROXY_CONFIG, type ProxyConfig } from './config/proxy-config.ts';
import { createBackend, type ProxyRunners, type UserspaceParts } from './create-backend.ts';
import { buildNodeNetwork } from './facts/build-node-network.ts';
import { FamilyProxy } from './family-proxy.ts';
import { HealthState } from './health/health-state.ts';
import type { Listen } from './health/http-listener.ts';
import { openProxyServers } from './health/proxy-servers.ts';
import { ServiceChecks } from './health/service-checks.ts';
import { ProxyMetrics } from './metrics/proxy-metrics.ts';
import { type ProxySysctl, prepareKernel } from './prepare-kernel.ts';
import type { ProxyLog } from './proxy-log.ts';
import { QuarantineReports } from './quarantine-reports.ts';
import { type ServiceWarning, serviceWarnings } from './service-events.ts';
import type { ServiceFactsFeed } from './service-facts-feed.ts';
import { printCounters } from './userspace/print-counters.ts';

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
  /**
   * After a sync the proxy rests so many times as long as it worked while changes keep coming, unless config.minSyncPeriodMs
   * is set; default 1. Where many proxies share a machine they take less of it each.
   */
  readonly restFactor?: number | undefined;
  readonly runners: ProxyRunners;
  /** Marks the rules of a family as this proxy's; awaited before they are written from nothing. */
  readonly claim?: (family: Family) => Promise<void>;
  /** Addresses of all interfaces of the node, loopback included; read anew at each sync when node port addresses are set. */
  readonly addresses: () => readonly string[];
  /** Kernel parameters of the node's network namespace; without it none is touched. */
  readonly sysctl?: ProxySysctl;
  /** Number of processors; given, the proxy sets the parameters of connection tracking as kube-proxy does. */
  readonly processors?: number;
  /** Opens listening sockets in the node's network namespace; without it there are no health and metrics servers. */
  readonly listen?: Listen;
  /** Needed by userspace mode. Listeners stay open after the proxy, as its rules do: the next one takes them over. */
  readonly userspace?: UserspaceParts;
  readonly log: (entry: ProxyLog) => void;
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
  /** Leaves the rules to another process until `resume`; resolves when none is being written. Its servers answer as before. */
  pause(): Promise<void>;
  /** Goes on, by writing all rules anew. */
  resume(): void;
}

/** Starts the proxy of one node. Rejects when a runner is missing, a port is taken or a kernel parameter is refused. */
export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const server = new ProxyServer(options);
  try {
    await server.start();
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return server;
}

const FAMILIES: readonly Family[] = ['ipv4', 'ipv6'];

class ProxyServer implements Proxy {
  readonly health: HealthState;
  readonly #options: ProxyOptions;
  readonly #config: ProxyConfig;
  readonly #metrics: ProxyMetrics;
  readonly #warn: ServiceWarning;
  readonly #nodes: Informer<Node>;
  readonly #families: readonly Family[];
  readonly #quarantine: QuarantineReports;
  readonly #hidden: QuarantineReports;
  readonly #synced = Promise.withResolvers<void>();
  readonly #resources = new DisposableStack();
  #proxies: readonly FamilyProxy[] = [];
  #checks: ServiceChecks | undefined;
  #node: Node | undefined;
  #closed = false;

  constructor(options: ProxyOptions) {
    const { client, clock, nodeName, log } = options;
    this.#options = options;
    this.#config = { ...DEFAULT_PROXY_CONFIG, ...options.config };
    this.#families = options.families ?? FAMILIES;
    this.health = new HealthState(clock, 2 * this.#config.syncPeriodMs);
    const { userspace } = options;
    this.#metrics = new ProxyMetrics(this.#config.mode, this.#families, () =>
      userspace === undefined ? '' : printCounters(userspace.transport.counters(nodeName)),
    );
    const onError = (error: unknown): void => log({ level: 'warning', message: 'writing an Event failed', error });
    const recorder = new EventRecorder({ client, clock, component: 'kube-proxy', host: nodeName, onError });
    this.#warn = serviceWarnings(this.#resources.use(recorder), options.informers);
    this.#quarantine = new QuarantineReports({ warn: this.#warn, nodeName, log });
    const hidden = { reason: 'ClientAddressHidden', failure: 'preserve all client addresses' };
    this.#hidden = new QuarantineReports({ warn: this.#warn, nodeName, ...hidden });
    this.#nodes = options.informers.for(resources.nodes);
  }

  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  metrics(): string {
    return this.#metrics.text();
  }

  resync(): void {
    for (const proxy of this.#proxies) proxy.request({ full: true });
  }

  async pause(): Promise<void> {
    await Promise.all(this.#proxies.map((proxy) => proxy.pause()));
  }

  resume(): void {
    for (const proxy of this.#proxies) proxy.resume();
  }

  async start(): Promise<void> {
    const { listen } = this.#options;
    const fixed = this.#prepareKernel();
    this.#proxies = await Promise.all(this.#families.map((family) => this.#createFamily(family, fixed)));
    if (listen !== undefined) this.#openServers(listen);
    this.#nodes.onChange(({ key, current }) => this.#nodeChanged(key, current));
    this.#resources.use(this.#options.services.onServiceCIDRs(() => this.#refresh()));
    void this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#proxies.map((proxy) => proxy[Symbol.asyncDispose]()));
    this.#resources.dispose();
  }

  async #run(): Promise<void> {
    await Promise.all([this.#options.services.synced, this.#nodes.start()]);
    if (this.#closed) return;
    for (const proxy of this.#proxies) proxy.start();
    await Promise.all(this.#proxies.map(({ synced }) => synced));
    this.#synced.resolve();
  }

  async #createFamily(family: Family, fixed: ReturnType<typeof prepareKernel>): Promise<FamilyProxy> {
    const { clock, runners, services, userspace, log, restFactor, claim = async () => {} } = this.#options;
    const { mode, syncPeriodMs, minSyncPeriodMs } = this.#config;
    return new FamilyProxy({
      family,
      clock,
      facts: services.facts,
      backend: await createBackend({ config: this.#config, family, runners, clock, userspace, ...fixed }),
      claim: () => claim(family),
      node: () => this.#buildNode(family),
      // Flows lead to the sockets of userspace mode, not to endpoints: its backend looks after them.
      conntrack: mode === 'userspace' ? undefined : runners.conntrack,
      health: this.health,
      metrics: this.#metrics,
      syncPeriodMs,
      minSyncPeriodMs,
      restFactor,
      onSynced: (_state, { quarantined, hidingClients = [] }) => {
        this.#quarantine.report(family, quarantined);
        this.#hidden.report(family, hidingClients);
        this.#checks?.sync();
      },
      onError: (message, error) => log({ level: 'error', message, error }),
      onWarning: (message, error) => log({ level: 'warning', message, error }),
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

  #prepareKernel(): ReturnType<typeof prepareKernel> {
    const { sysctl, processors, log } = this.#options;
    if (sysctl === undefined) return { conntrackTcpBeLiberal: false };
    const onRefused = (key: string, error: unknown): void =>
      log({ level: 'warning', message: `kernel parameter ${key} cannot be set`, error });
    return prepareKernel({ config: this.#config, sysctl, processors, onRefused });
  }

  #openServers(listen: Listen): void {
    const { health } = this;
    for (const server of openProxyServers({ config: this.#config, health, metrics: this.#metrics, listen })) {
      this.#resources.use(server);
    }
    this.#checks = this.#resources.use(
      new ServiceChecks({
        facts: this.#options.services.facts,
        families: this.#families,
        nodeName: this.#options.nodeName,
        warn: this.#warn,
        isProxyHealthy: () => health.live.healthy,
        addresses: () => this.#families.map((family) => this.#buildNode(family)?.nodePortAddresses),
        listen,
      }),
    );
  }
}
