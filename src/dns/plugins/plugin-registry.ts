import { configError } from '../corefile/config-error.ts';
import type { Directive, ServerBlock } from '../corefile/parse-corefile.ts';
import { autopathPlugin } from './autopath.ts';
import { cachePlugin } from './cache.ts';
import { errorsPlugin } from './errors.ts';
import { forwardPlugin } from './forward.ts';
import { healthPlugin } from './health.ts';
import { hostsPlugin } from './hosts.ts';
import { k8sExternalPlugin } from './k8s-external.ts';
import { kubernetesPlugin } from './kubernetes.ts';
import { loadbalancePlugin } from './loadbalance.ts';
import { logPlugin } from './log.ts';
import { loopPlugin } from './loop.ts';
import type { Plugin, PluginEnvironment, PluginFactory } from './plugin.ts';
import { prometheusPlugin } from './prometheus.ts';
import { readyPlugin } from './ready.ts';
import { reloadPlugin } from './reload.ts';
import { rewritePlugin } from './rewrite.ts';
import { templatePlugin } from './template.ts';
import { transferPlugin } from './transfer.ts';

// In the order that queries pass them, whatever the order in the Corefile: CoreDNS's plugin.cfg.
const factories: ReadonlyMap<string, PluginFactory> = new Map(
  Object.entries({
    reload: reloadPlugin,
    ready: readyPlugin,
    health: healthPlugin,
    prometheus: prometheusPlugin,
    errors: errorsPlugin,
    log: logPlugin,
    loadbalance: loadbalancePlugin,
    rewrite: rewritePlugin,
    autopath: autopathPlugin,
    cache: cachePlugin,
    template: templatePlugin,
    transfer: transferPlugin,
    hosts: hostsPlugin,
    k8s_external: k8sExternalPlugin,
    kubernetes: kubernetesPlugin,
    loop: loopPlugin,
    forward: forwardPlugin,
  }),
);

/** Names of the plugins that a Corefile may use. */
export const pluginNames: readonly string[] = ['bind', ...factories.keys()];

/** Builds the plugins of a block in the order that queries pass them; throws ERR_DNS_CONFIG. */
export function buildPlugins(block: ServerBlock, environment: PluginEnvironment): readonly Plugin[] {
  checkNames(block);
  return [...factories].flatMap(([name, factory]) => {
    const directives = directivesOf(block, name);
    return directives.length === 0 ? [] : factory(directives, environment);
  });
}

/** A plugin's lines in a block. */
export function directivesOf(block: ServerBlock, name: string): readonly Directive[] {
  return block.directives.filter((directive) => directive.name.text === name);
}

function checkNames(block: ServerBlock): void {
  for (const { name } of block.directives) {
    if (pluginNames.includes(name.text)) continue;
    throw configError(name, `Unknown directive '${name.text}'`, `Plugins served here: ${pluginNames.join(', ')}.`);
  }
}
