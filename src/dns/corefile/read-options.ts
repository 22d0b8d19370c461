import { configError } from './config-error.ts';
import { parseDuration } from './duration.ts';
import type { Directive, OptionLine } from './parse-corefile.ts';
import type { Token } from './tokens.ts';

type OptionReader = (line: OptionLine) => void;

/** Hands each option line of a plugin to its reader; an option without one is an error that names it. */
export function readOptions(directive: Directive, readers: Readonly<Record<string, OptionReader>>): void {
  for (const line of directive.options) {
    const name = line.name.text;
    const reader = Object.hasOwn(readers, name) ? readers[name] : undefined;
    if (reader === undefined) {
      const known = Object.keys(readers);
      const hint = known.length === 0 ? 'It has no options.' : `Options read here: ${known.join(', ')}.`;
      throw configError(line.name, `unknown property '${name}' of plugin ${directive.name.text}`, hint);
    }
    reader(line);
  }
}

/** The arguments' texts, their number checked. */
export function readArguments(
  line: { readonly name: Token; readonly args: readonly Token[] },
  min: number,
  max = Number.POSITIVE_INFINITY,
): readonly string[] {
  if (line.args.length < min || line.args.length > max) {
    const got = `'${line.name.text}' has ${line.args.length}`;
    throw configError(line.name, `Wrong argument count or unexpected line ending after ${got} arguments`);
  }
  return line.args.map((token) => token.text);
}

/** A whole number of at least `min` and at most `max`. */
export function readInteger(token: Token, min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY): number {
  const value = /^[-+]?\d+$/.test(token.text) ? Number(token.text) : Number.NaN;
  if (Number.isNaN(value)) throw configError(token, `not a whole number: '${token.text}'`);
  if (value < min || value > max) throw configError(token, `${value} is not in the range [${min}, ${max}]`);
  return value;
}

/** A Go duration in milliseconds. */
export function readDuration(token: Token, min = 0): number {
  const value = parseDuration(token.text);
  if (value === undefined) throw configError(token, `invalid duration '${token.text}'`, 'For example 30s or 1m30s.');
  if (value < min) throw configError(token, `duration ${token.text} is too short`);
  return value;
}

/** One of the words allowed. */
export function readChoice<T extends string>(token: Token, choices: readonly T[]): T {
  const choice = choices.find((value) => value === token.text);
  if (choice === undefined) throw configError(token, `'${token.text}' is not one of ${choices.join(', ')}`);
  return choice;
}

/** `address:port` or `:port`; the address without brackets, '' for all. */
export function readListenAddress(token: Token): { readonly address: string; readonly port: number } {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(token.text);
  if (match === null) throw configError(token, `not an address with a port: '${token.text}'`, 'For example :8080.');
  return { address: match[1] ?? match[2] ?? '', port: Number(match[3]) };
}

/** A regular expression in Go's syntax as JavaScript's: `(?P<name>` and a leading `(?i)` are translated. */
export function readRegExp(token: Token): RegExp {
  const inline = /^\(\?([ims]+)\)/.exec(token.text);
  const source = token.text.slice(inline?.[0].length ?? 0).replaceAll('(?P<', '(?<');
  try {
    return new RegExp(source, inline?.[1] ?? '');
  } catch (cause) {
    throw configError(token, `invalid regular expression '${token.text}': ${(cause as Error).message}`);
  }
}
