import { configError } from '../corefile/config-error.ts';
import type { Directive, ServerBlock } from '../corefile/parse-corefile.ts';
import type { Plugin, PluginEnvironment, PluginFactory } from './plugin.ts';

// In the order that queries pass them, whatever the order in the Corefile: CoreDNS's plugin.cfg. A server loads only those
// that its Corefile names: all of them cost nine megabytes and a tenth of a second.
const loaders: ReadonlyMap<string, () => Promise<PluginFactory>> = new Map(
  Object.entries({
    reload: async () => (await import('./reload.ts')).reloadPlugin,
    ready: async () => (await import('./ready.ts')).readyPlugin,
    health: async () => (await import('./health.ts')).healthPlugin,
    prometheus: async () => (await import('./prometheus.ts')).prometheusPlugin,
    errors: async () => (await import('./errors.ts')).errorsPlugin,
    log: async () => (await import('./log.ts')).logPlugin,
    loadbalance: async () => (await import('./loadbalance.ts')).loadbalancePlugin,
    rewrite: async () => (await import('./rewrite.ts')).rewritePlugin,
    autopath: async () => (await import('./autopath.ts')).autopathPlugin,
    cache: async () => (await import('./cache.ts')).cachePlugin,
    template: async () => (await import('./template.ts')).templatePlugin,
    transfer: async () => (await import('./transfer.ts')).transferPlugin,
    hosts: async () => (await import('./hosts.ts')).hostsPlugin,
    k8s_external: async () => (await import('./k8s-external.ts')).k8sExternalPlugin,
    kubernetes: async () => (await import('./kubernetes.ts')).kubernetesPlugin,
    loop: async () => (await import('./loop.ts')).loopPlugin,
    forward: async () => (await import('./forward.ts')).forwardPlugin,
  }),
);

/** Names of the plugins that a Corefile may use. */
export const pluginNames: readonly string[] = ['bind', ...loaders.keys()];

/** The factories of the plugins that some blocks name, in the order that queries pass them. */
export type PluginFactories = ReadonlyMap<string, PluginFactory>;

/** Loads what the blocks name; rejects with ERR_DNS_CONFIG for a plugin that is not served. */
export async function loadPlugins(blocks: readonly ServerBlock[]): Promise<PluginFactories> {
  const named = new Set<string>();
  for (const { name } of blocks.flatMap((block) => block.directives)) {
    if (!pluginNames.includes(name.text)) {
      throw configError(name, `Unknown directive '${name.text}'`, `Plugins served here: ${pluginNames.join(', ')}.`);
    }
    named.add(name.text);
  }
  const wanted = [...loaders].filter(([name]) => named.has(name));
  return new Map(await Promise.all(wanted.map(async ([name, load]) => [name, await load()] as const)));
}

/** Builds the plugins of a block in the order that queries pass them; throws ERR_DNS_CONFIG. */
export function buildPlugins(
  block: ServerBlock,
  factories: PluginFactories,
  environment: PluginEnvironment,
): readonly Plugin[] {
  return [...factories].flatMap(([name, factory]) => {
    const directives = directivesOf(block, name);
    return directives.length === 0 ? [] : factory(directives, environment);
  });
}

/** A plugin's lines in a block. */
export function directivesOf(block: ServerBlock, name: string): readonly Directive[] {
  return block.directives.filter((directive) => directive.name.text === name);
}
