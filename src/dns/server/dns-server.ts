import { networkInterfaces } from 'node:os';
import type { Clock, Random } from '../../kube/clock.ts';
import { parseCorefile } from '../corefile/parse-corefile.ts';
import { MetricsRegistry } from '../metrics/registry.ts';
import type { UpstreamReach } from '../plugins/plugin.ts';
import type { ZoneProvider } from '../zone/cluster-zone.ts';
import { DnsListener } from './dns-listener.ts';
import type { DnsLog } from './dns-log.ts';
import { type DnsNetwork, hostNetwork } from './dns-network.ts';
import { HttpEndpoint } from './http-endpoint.ts';
import { QueryServer } from './query-server.ts';
import { buildServerConfig, type ListenOverride, type ServerConfig } from './server-config.ts';
import { defaultTcpLimits, type TcpLimits } from './tcp-connection.ts';

export interface DnsServerOptions {
  /** Text of the Corefile, or where to read it: then the reload plugin looks there again. */
  readonly corefile: string | (() => Promise<string>);
  /** Name of the Corefile in errors; default `Corefile`. */
  readonly corefileName?: string;
  /** The cluster's objects; one provider serves any number of servers. */
  readonly zone: ZoneProvider;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: DnsLog;
  /** Where sockets come from; default this process's network. */
  readonly network?: DnsNetwork;
  /** The server's addresses without loopback; default those of this process's network. */
  readonly ownAddresses?: () => readonly string[];
  /** Where forward may ask: 'off' or CIDRs where there is no way out of the sandbox; default 'on'. */
  readonly upstream?: UpstreamReach;
  /** Text of a file that the Corefile names, undefined when it is missing; default from the file system. */
  readonly readFile?: (path: string) => Promise<string | undefined>;
  /** Listens here instead of where the Corefile says. */
  readonly listen?: ListenOverride;
  readonly limits?: Partial<TcpLimits>;
  readonly version?: string;
  /** Called when everything is closed. */
  readonly onClosed?: () => Promise<void>;
}

/** A DNS server that behaves as CoreDNS with the same Corefile. Disposing it goes through lameduck; `kill` does not. */
export class DnsServer implements AsyncDisposable {
  readonly #options: DnsServerOptions;
  readonly #registry = new MetricsRegistry();
  #listeners: ReadonlyMap<string, DnsListener> = new Map();
  readonly #failed = Promise.withResolvers<never>();
  #config: ServerConfig | undefined;
  #endpoints: HttpEndpoint[] = [];
  #reloadTimer: Disposable | undefined;
  /** The Corefile in use, or last tried, as it was understood: comments and layout make no difference. */
  #parsed = '';
  #closing = false;

  private constructor(options: DnsServerOptions) {
    this.#options = options;
    // Whoever does not look at `failed` must not crash by it.
    this.#failed.promise.catch(() => undefined);
  }

  /** Resolves once it listens, at the latest after the startup timeout of the kubernetes plugin; rejects with ERR_DNS_CONFIG. */
  static async start(options: DnsServerOptions): Promise<DnsServer> {
    const server = new DnsServer(options);
    const help = 'A metric with a constant labeled with version, revision, and goversion.';
    const build = server.#registry.gauge('coredns_build_info', help, ['goversion', 'revision', 'version']);
    build.with(`node${process.versions.node}`, '', options.version ?? 'towtank').value = 1;
    server.#registry.counter('coredns_reload_failed_total', 'Counter of the number of failed reload attempts.');
    await server.#use(await server.#readCorefile());
    return server;
  }

  /** Rejects when a plugin finds that the server must not go on (a forwarding loop). */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** Where it listens: port as bound. */
  get listening(): readonly { readonly address: string; readonly port: number }[] {
    return [...this.#listeners].map(([key, listener]) => ({ address: key.split(' ')[0]!, port: listener.port }));
  }

  /** True when every plugin is ready: what `/ready` says. */
  get isReady(): boolean {
    return this.#config?.plugins.every((plugin) => plugin.isReady?.() ?? true) ?? false;
  }

  /** The metrics as `/metrics` prints them. */
  metrics(): string {
    return this.#registry.print();
  }

  /** Takes over another Corefile without closing sockets that both use; when it is faulty the old one goes on serving. */
  async reload(text: string): Promise<void> {
    const parsed = parseCorefile(this.#input(text));
    const key = JSON.stringify(parsed);
    if (key === this.#parsed) return;
    this.#parsed = key;
    try {
      await this.#use(text);
    } catch (error) {
      this.#registry.counter('coredns_reload_failed_total', '').with().value++;
      this.#options.log('error', `plugin/reload: Corefile changed but reload failed: ${(error as Error).message}`);
      throw error;
    }
  }

  /** Closes at once, without lameduck. */
  async kill(): Promise<void> {
    this.#closing = true;
    this.#reloadTimer?.[Symbol.dispose]();
    await Promise.all([...this.#listeners.values()].map((listener) => listener[Symbol.asyncDispose]()));
    this.#listeners = new Map();
    await stopPlugins(this.#config);
    await Promise.all(this.#endpoints.map((endpoint) => endpoint[Symbol.asyncDispose]()));
    this.#endpoints = [];
    await this.#options.onClosed?.();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    // As CoreDNS: /ready goes at once, /health and DNS stay for the lameduck time.
    const ready = this.#endpoints.filter(({ pages }) => pages.every(({ path }) => path === '/ready'));
    this.#endpoints = this.#endpoints.filter((endpoint) => !ready.includes(endpoint));
    await Promise.all(ready.map((endpoint) => endpoint[Symbol.asyncDispose]()));
    const lameduck = Math.max(0, ...(this.#config?.plugins ?? []).map((plugin) => plugin.lameduck ?? 0));
    if (lameduck > 0) {
      this.#options.log('info', `plugin/health: Going into lameduck mode for ${lameduck / 1000}s`);
      const { promise, resolve } = Promise.withResolvers<void>();
      using _timer = this.#options.clock.schedule(lameduck, resolve);
      await promise;
    }
    await this.kill();
  }

  #input(text: string): Parameters<typeof parseCorefile>[0] {
    return { text, file: this.#options.corefileName ?? 'Corefile', environment: process.env };
  }

  async #readCorefile(): Promise<string> {
    const { corefile } = this.#options;
    return typeof corefile === 'string' ? corefile : await corefile();
  }

  async #use(text: string): Promise<void> {
    const blocks = parseCorefile(this.#input(text));
    this.#parsed = JSON.stringify(blocks);
    const { clock, random, log, zone, network = hostNetwork(), upstream = 'on' } = this.#options;
    const config = await buildServerConfig(
      blocks,
      {
        ...{ clock, random, log, zone, network, upstream, metrics: this.#registry },
        ownAddresses: this.#options.ownAddresses ?? processAddresses,
        readFile: this.#options.readFile ?? readFileIfThere,
        fail: (error) => this.#failed.reject(error),
      },
      this.#options.listen,
    );
    await this.#takeOver(config, network);
  }

  // As CoreDNS: /health answers before the API server does, the DNS ports open last.
  async #takeOver(config: ServerConfig, network: DnsNetwork): Promise<void> {
    const previous = this.#config;
    await stopPlugins(previous);
    try {
      this.#config = config;
      await this.#openEndpoints(config, network);
      await Promise.all(config.plugins.map((plugin) => plugin.start?.()));
      await this.#listen(config, network);
    } catch (error) {
      await stopPlugins(config);
      this.#config = previous;
      if (previous === undefined) await this.kill();
      else {
        await this.#openEndpoints(previous, network);
        await Promise.all(previous.plugins.map((plugin) => plugin.start?.()));
      }
      throw error;
    }
    this.#watchCorefile(config);
  }

  async #openEndpoints(config: ServerConfig, network: DnsNetwork): Promise<void> {
    await Promise.all(this.#endpoints.map((endpoint) => endpoint[Symbol.asyncDispose]()));
    this.#endpoints = await Promise.all(config.pages.map((pages) => HttpEndpoint.open(network, pages)));
  }

  // New addresses first: when one of them is taken, nothing has changed.
  async #listen(config: ServerConfig, network: DnsNetwork): Promise<void> {
    await using opened = new AsyncDisposableStack();
    const next = new Map<string, DnsListener>();
    for (const listen of config.listen) {
      const key = `${listen.address} ${listen.port}`;
      const listener = this.#listeners.get(key) ?? opened.use(await this.#open(listen, network));
      next.set(key, listener);
    }
    opened.move();
    for (const { address, port, query } of config.listen) next.get(`${address} ${port}`)!.server.config = query;
    const closed = [...this.#listeners.values()].filter((listener) => ![...next.values()].includes(listener));
    this.#listeners = next;
    await Promise.all(closed.map((listener) => listener[Symbol.asyncDispose]()));
    const [first] = next.values();
    for (const plugin of config.plugins) plugin.onListening?.(first?.port ?? 0);
  }

  async #open({ address, port, query }: ServerConfig['listen'][number], network: DnsNetwork): Promise<DnsListener> {
    const { clock, log, limits } = this.#options;
    const server = new QueryServer(query, log, () => {
      this.#registry.counter('coredns_panics_total', '').with().value++;
    });
    const options = { clock, log, limits: { ...defaultTcpLimits, ...limits } };
    return await DnsListener.open(server, { network, address, port }, options);
  }

  #watchCorefile(config: ServerConfig): void {
    this.#reloadTimer?.[Symbol.dispose]();
    const interval = config.plugins.find((plugin) => plugin.reloadInterval !== undefined)?.reloadInterval;
    const { corefile, clock, log } = this.#options;
    if (interval === undefined || typeof corefile === 'string' || this.#closing) return;
    this.#reloadTimer = clock.schedule(interval, () => {
      void (async () => {
        try {
          await this.reload(await corefile());
        } catch (error) {
          // The old configuration goes on; the next look may find it mended.
          log('warning', `plugin/reload: Corefile parse failed: ${(error as Error).message}`);
        }
        if (this.#config !== undefined) this.#watchCorefile(this.#config);
      })();
    });
  }
}

/** Starts a DNS server; see DnsServer.start. */
export function startDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  return DnsServer.start(options);
}

async function stopPlugins(config: ServerConfig | undefined): Promise<void> {
  await Promise.all((config?.plugins ?? []).map((plugin) => plugin.stop?.()));
}

function processAddresses(): readonly string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal }) => !internal)
    .map(({ address }) => address);
}

async function readFileIfThere(path: string): Promise<string | undefined> {
  try {
    const { readFile } = await import('node:fs/promises');
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
