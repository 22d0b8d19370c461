import type { Directive } from '../corefile/parse-corefile.ts';
import { readArguments, readChoice, readListenAddress, readOptions } from '../corefile/read-options.ts';
import { once } from './once.ts';
import type { Plugin, PluginEnvironment } from './plugin.ts';

/** ready: `/ready` says OK once every plugin is, else 503 and the names of those that are not. */
export function readyPlugin(directives: readonly Directive[], environment: PluginEnvironment): readonly Plugin[] {
  const directive = once(directives);
  readArguments(directive, 0, 1);
  const [token] = directive.args;
  const listen = token === undefined ? { address: '', port: 8181 } : readListenAddress(token);
  let continuously = false;
  readOptions(directive, {
    monitor: (line) => {
      readArguments(line, 1, 1);
      continuously = readChoice(line.args[0]!, ['until-ready', 'continuously']) === 'continuously';
    },
  });
  const latched = new Set<Plugin>();
  const waiting = (): readonly string[] => {
    const late = environment.allPlugins().filter((plugin) => {
      if (plugin.isReady === undefined || (!continuously && latched.has(plugin))) return false;
      if (!plugin.isReady()) return true;
      latched.add(plugin);
      return false;
    });
    return [...new Set(late.map(({ name }) => name))].sort();
  };
  const render = (): { status: number; body: string; type: string } => {
    const names = waiting().join(',');
    if (names === '') return { status: 200, body: 'OK', type: 'text/plain' };
    environment.log('info', `plugin/ready: Plugins not ready: "${names}"`);
    return { status: 503, body: names, type: 'text/plain' };
  };
  return [{ name: 'ready', pages: [{ ...listen, path: '/ready', render }] }];
}
