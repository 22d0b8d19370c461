/** What a flag takes: a boolean may stand alone, the others take the next word or what follows `=`. */
export type FlagKind = 'string' | 'int' | 'bool' | 'duration';

/** A command line that does not fit; `message` is what the program prints. */
export class FlagError extends Error {}

export interface ParsedFlags {
  /** By name, only what was given: strings as they are, the others as their kind reads them (durations in milliseconds). */
  readonly values: ReadonlyMap<string, string | number | boolean>;
  /** The words that are no flags. */
  readonly rest: readonly string[];
}

/** Reads a command line as Go programs do: `-name value`, `--name=value`, `--switch`, `--` ends the flags. Throws FlagError. */
export function parseFlags(args: readonly string[], kinds: Readonly<Record<string, FlagKind>>): ParsedFlags {
  const values = new Map<string, string | number | boolean>();
  const rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const word = args[i] ?? '';
    if (word === '--') return { values, rest: [...rest, ...args.slice(i + 1)] };
    const { name, value } = /^--?(?<name>[A-Za-z][\w-]*)(?:=(?<value>.*))?$/s.exec(word)?.groups ?? {};
    if (name === undefined) {
      rest.push(word);
      continue;
    }
    const kind = kinds[name];
    if (kind === undefined) throw new FlagError(`unknown flag: --${name}`);
    const given = value ?? (kind === 'bool' ? 'true' : args[++i]);
    if (given === undefined) throw new FlagError(`flag needs an argument: --${name}`);
    values.set(name, readValue(name, kind, given));
  }
  return { values, rest };
}

function readValue(name: string, kind: FlagKind, text: string): string | number | boolean {
  const invalid = (): FlagError => new FlagError(`invalid argument "${text}" for "--${name}" flag`);
  if (kind === 'string') return text;
  if (kind === 'bool') {
    if (!/^(true|false|1|0|t|f)$/i.test(text)) throw invalid();
    return /^(true|1|t)$/i.test(text);
  }
  const number = kind === 'int' ? (/^-?\d+$/.test(text) ? Number(text) : undefined) : parseDuration(text);
  if (number === undefined) throw invalid();
  return number;
}

const UNIT_MS: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1e3, m: 6e4, h: 36e5 };

/** Milliseconds of a Go duration such as `300ms`, `1.5s` or `2h45m`; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^[+-]?(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  const parts = text.matchAll(/(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)/g);
  const sum = [...parts].reduce((total, [, number, unit]) => total + Number(number) * (UNIT_MS[unit ?? ''] ?? 0), 0);
  return text.startsWith('-') ? -sum : sum;
}
