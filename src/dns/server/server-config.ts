import { configError } from '../corefile/config-error.ts';
import type { ServerBlock } from '../corefile/parse-corefile.ts';
import { DnsMetrics } from '../metrics/dns-metrics.ts';
import type { MetricsRegistry } from '../metrics/registry.ts';
import { readBind } from '../plugins/bind.ts';
import type { HttpPage, Plugin, PluginEnvironment } from '../plugins/plugin.ts';
import { buildPlugins, directivesOf, loadPlugins } from '../plugins/plugin-registry.ts';
import { isSubdomain } from '../wire/name.ts';
import { type CompiledBlock, chainPlugins, Dispatcher, metricZone } from './dispatcher.ts';
import { FastPath } from './fast-path.ts';
import type { QueryConfig } from './query-server.ts';

/** What all blocks of a server share; `block`, `zones` and the like are added per block. */
export type SharedEnvironment = Omit<
  PluginEnvironment,
  'block' | 'zones' | 'listenHosts' | 'ask' | 'allPlugins' | 'siblings' | 'serverLabel'
>;

/** An address to listen on and what is answered there. */
export interface ListenConfig {
  readonly address: string;
  readonly port: number;
  readonly query: QueryConfig;
}

/** A Corefile ready to serve: nothing of it is open yet. */
export interface ServerConfig {
  readonly listen: readonly ListenConfig[];
  readonly plugins: readonly Plugin[];
  /** Pages by the address that serves them. */
  readonly pages: readonly (readonly HttpPage[])[];
}

/** Listens here instead of where the Corefile says. */
export interface ListenOverride {
  readonly address: string;
  readonly port: number;
}

/** Builds the plugins of every block and joins the blocks that listen on the same address; throws ERR_DNS_CONFIG. */
export async function buildServerConfig(
  blocks: readonly ServerBlock[],
  shared: SharedEnvironment,
  override?: ListenOverride,
): Promise<ServerConfig> {
  const factories = await loadPlugins(blocks);
  const groups = new Map<string, { address: string; port: number; blocks: CompiledBlock[] }>();
  const plugins: Plugin[] = [];
  const dispatchers = new Map<string, Dispatcher>();
  for (const block of blocks) {
    const hosts = override === undefined ? readBind(directivesOf(block, 'bind')) : [override.address];
    const ports = new Set(override === undefined ? block.keys.map((key) => key.port) : [override.port]);
    for (const port of ports) {
      const zones = block.keys.filter((key) => override !== undefined || key.port === port).map((key) => key.zone);
      const label = `dns://${hosts[0]!.includes(':') ? `[${hosts[0]}]` : hosts[0]}:${port}`;
      const environment: PluginEnvironment = {
        ...shared,
        block,
        zones,
        listenHosts: hosts,
        serverLabel: label,
        ask: (request) => dispatchers.get(`${hosts[0]} ${port}`)!.serve(request),
        allPlugins: () => plugins,
        siblings: () => built,
      };
      const built: readonly Plugin[] = buildPlugins(block, factories, environment);
      plugins.push(...built);
      const compiled = compileBlock(zones, built, { metrics: shared.metrics, label });
      for (const address of hosts) addToGroup(groups, { address, port, block, compiled });
    }
  }
  const listen = [...groups].map(([key, group]) => {
    const dispatcher = new Dispatcher(group.blocks);
    dispatchers.set(key, dispatcher);
    const fast = buildFastPath(group.blocks, shared.random);
    return { address: group.address, port: group.port, query: { dispatcher, fast } };
  });
  return { listen, plugins, pages: groupPages(plugins) };
}

function addToGroup(
  groups: Map<string, { address: string; port: number; blocks: CompiledBlock[] }>,
  added: { address: string; port: number; block: ServerBlock; compiled: CompiledBlock },
): void {
  const { address, port, block, compiled } = added;
  const key = `${address} ${port}`;
  const group = groups.get(key) ?? { address, port, blocks: [] };
  const taken = group.blocks.flatMap(({ zones }) => zones).find((zone) => compiled.zones.includes(zone));
  if (taken !== undefined) throw configError(block.at, `cannot serve dns://${taken}:${port} - it is already defined`);
  group.blocks.push(compiled);
  groups.set(key, group);
}

function compileBlock(
  zones: readonly string[],
  plugins: readonly Plugin[],
  { metrics, label }: { metrics: MetricsRegistry; label: string },
): CompiledBlock {
  const counted = plugins.some(({ name }) => name === 'prometheus');
  if (counted) countPlugins(metrics, { label, zones, plugins });
  return {
    zones,
    plugins,
    handler: chainPlugins(plugins),
    metrics: counted ? new DnsMetrics(metrics, label) : undefined,
  };
}

function countPlugins(
  metrics: MetricsRegistry,
  { label, zones, plugins }: { label: string; zones: readonly string[]; plugins: readonly Plugin[] },
): void {
  const help = 'A metric that indicates whether a plugin is enabled on per server and zone basis.';
  const enabled = metrics.gauge('coredns_plugin_enabled', help, ['server', 'zone', 'view', 'name']);
  for (const zone of zones) {
    for (const { name, handle } of plugins) {
      if (handle !== undefined || name === 'prometheus') enabled.with(label, zone, '', name).value = 1;
    }
  }
}

function groupPages(plugins: readonly Plugin[]): readonly (readonly HttpPage[])[] {
  const byAddress = new Map<string, HttpPage[]>();
  for (const page of plugins.flatMap((plugin) => plugin.pages ?? [])) {
    const key = `${page.address} ${page.port}`;
    const pages = byAddress.get(key) ?? [];
    // The first block's page serves for all, as in CoreDNS.
    if (!pages.some(({ path }) => path === page.path)) byAddress.set(key, [...pages, page]);
  }
  return [...byAddress.values()];
}

/** The precompiled answers of the one block whose other plugins leave them alone; undefined when there is no such block. */
function buildFastPath(blocks: readonly CompiledBlock[], random: PluginEnvironment['random']): QueryConfig['fast'] {
  for (const block of blocks) {
    const at = block.plugins.findIndex(({ fastAnswers }) => fastAnswers !== undefined);
    const answers = block.plugins[at]?.fastAnswers;
    if (answers === undefined) continue;
    const { table, denies } = answers;
    const { zones, ttl } = table.view.options;
    const before = block.plugins.slice(0, at).filter(({ handle }) => handle !== undefined);
    const untouched = (zone: string): boolean =>
      isServedBy(block, blocks, zone) && before.every(({ leavesAlone }) => leavesAlone?.(zone, ttl) === true);
    const fast = zones
      .filter(untouched)
      .map((zone) => ({ zone, denies: denies(zone), label: metricZone(block, zone) }));
    if (fast.length === 0) continue;
    const shuffle = block.plugins.some(({ shuffles }) => shuffles === true);
    return { path: new FastPath({ table, random, shuffle, zones: fast }), block };
  }
  return undefined;
}

// No other block has a zone closer to the names than this one.
function isServedBy(block: CompiledBlock, blocks: readonly CompiledBlock[], zone: string): boolean {
  const within = block.zones.some((own) => isSubdomain(own, zone));
  const longest = (zones: readonly string[]): number =>
    Math.max(0, ...zones.filter((own) => isSubdomain(own, zone)).map((own) => own.length));
  return blocks.every((other) => {
    if (other === block) return within;
    const closer = longest(other.zones) > longest(block.zones);
    return !closer && !other.zones.some((inner) => isSubdomain(zone, inner));
  });
}
