import { configError } from '../corefile/config-error.ts';
import type { Directive } from '../corefile/parse-corefile.ts';
import { readArguments, readDuration } from '../corefile/read-options.ts';
import { once } from './once.ts';
import type { Plugin, PluginEnvironment } from './plugin.ts';

const INTERVAL = 30_000;
const JITTER = 15_000;
const MIN_INTERVAL = 2000;
const MIN_JITTER = 1000;

/** reload: has the server look at its Corefile every `interval` plus or minus half a `jitter`. */
export function reloadPlugin(directives: readonly Directive[], { random }: PluginEnvironment): readonly Plugin[] {
  const directive = once(directives);
  readArguments(directive, 0, 2);
  const [intervalToken, jitterToken] = directive.args;
  const interval = intervalToken === undefined ? INTERVAL : readDuration(intervalToken);
  if (interval < MIN_INTERVAL) {
    throw configError(directive.name, 'interval value must be greater or equal to 2s');
  }
  const asked = jitterToken === undefined ? JITTER : readDuration(jitterToken);
  if (asked !== 0 && asked < MIN_JITTER) {
    throw configError(directive.name, 'jitter value must be 0 or greater or equal to 1s');
  }
  const jitter = Math.min(asked, interval / 2);
  return [{ name: 'reload', reloadInterval: interval + (random() - 0.5) * jitter }];
}
