import {
  type ErrorCode,
  isAlias,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseDocument,
  type Scalar,
  type YAMLMap,
} from 'yaml';
import { setOwn } from './canonical-form.ts';
import { goQuote } from './go-text.ts';
import { MAX_DEPTH } from './json-syntax.ts';

/** A text is no YAML, or YAML that is no JSON; the message begins as the real server's does. */
export class YamlProblem extends Error {}

export interface YamlValue {
  readonly value: unknown;
  /** `line 3: key "a" already set in map` for each key that stands twice. */
  readonly duplicates: readonly string[];
}

/** Parses YAML as sigs.k8s.io/yaml turns it into JSON: YAML 1.1 words (`yes`, `0755`), merge keys, string keys. Throws YamlProblem. */
export function parseYaml(text: string): YamlValue {
  const lines = new LineCounter();
  // Scalars stay text here: what they mean is decided below, as Go's parser decides it.
  const document = parseDocument(text, {
    schema: 'failsafe',
    uniqueKeys: false,
    lineCounter: lines,
    logLevel: 'silent',
  });
  const [problem] = document.errors;
  if (problem !== undefined) {
    const line = problem.linePos?.[0].line;
    const summary = goWords[problem.code] ?? problem.message.split('\n')[0]!.replace(/ at line .*$/, '');
    throw new YamlProblem(`yaml: ${line === undefined ? '' : `line ${line}: `}${summary}`);
  }
  const converter = new Converter(lines);
  const value = document.contents === null ? null : converter.convert(document.contents);
  return { value, duplicates: converter.duplicates };
}

/** How Go's parser words what ours has a code for. */
const goWords: Partial<Record<ErrorCode, string>> = {
  BLOCK_AS_IMPLICIT_KEY: 'mapping values are not allowed in this context',
  BLOCK_IN_FLOW: 'block sequence entries are not allowed in this context',
  BAD_SCALAR_START: 'found character that cannot start any token',
  TAB_AS_INDENT: 'found character that cannot start any token',
  MISSING_CHAR: 'found unexpected end of stream',
  MULTILINE_IMPLICIT_KEY: "could not find expected ':'",
  BAD_INDENT: 'did not find expected key',
};

// Aliases of aliases can make a small text a huge value.
const MAX_NODES = 1_000_000;

class Converter {
  readonly duplicates: string[] = [];
  readonly #lines: LineCounter;
  readonly #anchors = new Map<string, ParsedNode>();
  readonly #within = new Set<ParsedNode>();
  #nodes = 0;

  constructor(lines: LineCounter) {
    this.#lines = lines;
  }

  convert(node: ParsedNode | null): unknown {
    if (this.#within.size > MAX_DEPTH) throw new YamlProblem('yaml: exceeded max depth of 1000');
    if (++this.#nodes > MAX_NODES) throw new YamlProblem('yaml: document contains excessive aliasing');
    if (node === null) return null;
    if (isAlias(node)) return this.#alias(node.source);
    if (node.anchor) this.#anchors.set(node.anchor, node);
    if (isScalar(node)) return scalarValue(node);
    this.#within.add(node);
    const value = isSeq(node)
      ? node.items.map((item) => this.convert(item as ParsedNode))
      : this.#map(node as YAMLMap.Parsed);
    this.#within.delete(node);
    return value;
  }

  #alias(name: string): unknown {
    const target = this.#anchors.get(name);
    if (target === undefined) throw new YamlProblem(`yaml: unknown anchor '${name}' referenced`);
    if (this.#within.has(target)) throw new YamlProblem(`yaml: anchor '${name}' value contains itself`);
    return this.convert(target);
  }

  #map(node: YAMLMap.Parsed): Record<string, unknown> {
    const map: Record<string, unknown> = {};
    const merged: unknown[] = [];
    const seen = new Set<string>();
    for (const { key, value } of node.items) {
      if (isMergeKey(key)) {
        const source = this.convert(value as ParsedNode | null);
        merged.push(...(Array.isArray(source) ? source : [source]));
        continue;
      }
      const name = this.#key(key);
      if (seen.has(name)) this.duplicates.push(`line ${this.#lineOf(key)}: key ${goQuote(name)} already set in map`);
      seen.add(name);
      setOwn(map, name, this.convert(value as ParsedNode | null));
    }
    for (const source of merged) mergeInto(map, source);
    return map;
  }

  #key(key: ParsedNode): string {
    const value = this.convert(key);
    if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') return String(value);
    throw new YamlProblem(`unsupported map key of type: ${value === null ? 'nil' : typeof value}`);
  }

  #lineOf(node: ParsedNode): number {
    return this.#lines.linePos(node.range[0]).line;
  }
}

const isMergeKey = (key: ParsedNode): boolean => isScalar(key) && key.type === 'PLAIN' && key.source === '<<';

function mergeInto(map: Record<string, unknown>, source: unknown): void {
  if (typeof source !== 'object' || source === null || Array.isArray(source))
    throw new YamlProblem('yaml: map merge requires map or sequence of maps as the value');
  for (const [key, value] of Object.entries(source)) if (!Object.hasOwn(map, key)) setOwn(map, key, value);
}

const words: ReadonlyMap<string, boolean | null> = new Map([
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON'].map((word) => [word, true] as const),
  ...['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF'].map((word) => [word, false] as const),
  ...['', '~', 'null', 'Null', 'NULL'].map((word) => [word, null] as const),
]);

function scalarValue(node: Scalar.Parsed): unknown {
  const text = String(node.value);
  if (
    node.tag === '!!str' ||
    node.tag === '!' ||
    node.tag === 'tag:yaml.org,2002:str' ||
    (node.type !== 'PLAIN' && node.tag === undefined)
  )
    return text;
  if (/^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/.test(text))
    throw new YamlProblem(`json: unsupported value: ${goFloat(text)}`);
  const word = words.get(text);
  if (word !== undefined) return word;
  return /^[-+.0-9]/.test(text) ? (numberOf(text) ?? text) : text;
}

const goFloat = (text: string): string => (/nan/i.test(text) ? 'NaN' : `${text.startsWith('-') ? '-' : '+'}Inf`);

function numberOf(text: string): number | undefined {
  const plain = text.replaceAll('_', '');
  const digits = plain.replace(/^[-+]/, '');
  const sign = plain.startsWith('-') ? -1 : 1;
  if (/^(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+)$/.test(digits)) return sign * Number(digits);
  if (/^0[0-7]+$/.test(digits)) return sign * Number.parseInt(digits, 8);
  if (/^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/.test(plain)) return Number(plain);
  return undefined;
}
