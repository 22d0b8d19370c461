import { configError } from '../corefile/config-error.ts';
import type { Directive } from '../corefile/parse-corefile.ts';
import { parseIp } from '../wire/ip.ts';

/** bind: the addresses that a block listens on; [''] without it. Interface names are not resolved here. */
export function readBind(directives: readonly Directive[]): readonly string[] {
  const tokens = directives.flatMap((directive) => {
    if (directive.args.length === 0) throw configError(directive.name, 'at least one address is expected');
    const [option] = directive.options;
    if (option !== undefined) throw configError(option.name, `unknown property '${option.name.text}' of plugin bind`);
    return directive.args;
  });
  for (const token of tokens) {
    if (parseIp(token.text) === undefined) {
      throw configError(token, `not a valid IP address: ${token.text}`, 'Name addresses, not interfaces.');
    }
  }
  return tokens.length === 0 ? [''] : [...new Set(tokens.map((token) => token.text))];
}
