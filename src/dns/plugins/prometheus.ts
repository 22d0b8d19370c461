import type { Directive } from '../corefile/parse-corefile.ts';
import { readArguments, readListenAddress, readOptions } from '../corefile/read-options.ts';
import { once } from './once.ts';
import type { Plugin, PluginEnvironment } from './plugin.ts';

const TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** prometheus: `/metrics` under CoreDNS's names; queries of this block are counted. */
export function prometheusPlugin(directives: readonly Directive[], environment: PluginEnvironment): readonly Plugin[] {
  const directive = once(directives);
  readArguments(directive, 0, 1);
  const [token] = directive.args;
  const listen = token === undefined ? { address: 'localhost', port: 9153 } : readListenAddress(token);
  readOptions(directive, { runtime_metrics: (line) => void readArguments(line, 0, 0) });
  const render = () => ({ status: 200, body: environment.metrics.print(), type: TYPE });
  return [{ name: 'prometheus', pages: [{ ...listen, path: '/metrics', render }] }];
}
