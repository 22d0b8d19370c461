import { configError } from '../corefile/config-error.ts';
import type { Directive } from '../corefile/parse-corefile.ts';

/** The single use of a plugin in a block; a second one is an error, as in CoreDNS. */
export function once(directives: readonly Directive[]): Directive {
  const [first, second] = directives;
  if (second !== undefined) {
    throw configError(second.name, `plugin ${second.name.text} can only be used once per server block`);
  }
  return first!;
}
