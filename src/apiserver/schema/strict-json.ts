import { canonicalQuantity, QuantityError } from './canonical-quantity.ts';
import type { SchemaNode } from './contract.ts';
import { goQuote } from './go-text.ts';
import { canonicalTime, GoTimeError, RFC3339, RFC3339_MICRO } from './go-time.ts';

/** What the real server's decoder says of a JSON text, in its words. */
export interface StrictFindings {
  /** Decoding fails with this text; undefined when it succeeds. */
  readonly fatal: string | undefined;
  /** Unknown and duplicate fields in the order of the text, at most 100. */
  readonly fieldErrors: readonly string[];
}

/** An Unmarshaler of Go refused a value: decoding ends there. */
class Refusal extends Error {}

/**
 * Reads a text that is known to be JSON as sigs.k8s.io/json does when it decodes into the Go type that `node` describes.
 * `node` undefined stands for a Go interface: everything fits, duplicate keys are still told.
 */
export function strictFindings(text: string, node: SchemaNode | undefined): StrictFindings {
  const reader = new StrictReader(text);
  try {
    reader.value(node ?? anything);
  } catch (error) {
    if (error instanceof Refusal) return { fatal: error.message, fieldErrors: [] };
    throw error;
  }
  return { fatal: reader.fatal, fieldErrors: reader.fatal === undefined ? [...reader.fieldErrors] : [] };
}

const anything: SchemaNode = { type: 'any', goType: 'interface {}' };
const byte: SchemaNode = { type: 'int32', goType: 'uint8' };

class StrictReader {
  readonly fieldErrors = new Set<string>();
  fatal: string | undefined;
  readonly #text: string;
  #at = 0;
  // Where we are, as the two kinds of errors tell it: with and without indexes and map keys.
  #path = '';
  #struct = '';
  #fields: readonly string[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  /** Reads the value that comes next into `node`; undefined skips it. */
  value(node: SchemaNode | undefined): void {
    this.#space();
    const start = this.#at;
    const char = this.#text[start];
    const custom = node === undefined ? undefined : unmarshalers[node.type];
    if (node !== undefined && (custom !== undefined || isRaw(node))) {
      this.#skip();
      const problem = custom?.(this.#text.slice(start, this.#at));
      if (problem !== undefined) throw new Refusal(this.#worded(problem));
    } else if (char === '{') this.#object(node);
    else if (char === '[') this.#array(node);
    else this.#literal(node);
  }

  #object(node: SchemaNode | undefined): void {
    const keyed = node?.type === 'struct' || node?.type === 'map' || node?.type === 'any';
    if (node !== undefined && !keyed) this.#mistyped({ value: 'object', goType: node.goType });
    const seen = new Set<string>();
    const [path, struct, fields] = [this.#path, this.#struct, this.#fields];
    this.#at++;
    for (this.#space(); this.#text[this.#at] !== '}'; this.#space()) {
      if (this.#text[this.#at] === ',') this.#at++;
      this.#space();
      const key = this.#string();
      this.#space();
      this.#at++;
      this.value(keyed ? this.#enter(node, key, seen) : undefined);
      [this.#path, this.#struct, this.#fields] = [path, struct, fields];
    }
    this.#at++;
  }

  // Notes where a key leads to and what is wrong with it; undefined when its value is skipped.
  #enter(node: SchemaNode, key: string, seen: Set<string>): SchemaNode | undefined {
    const path = this.#path === '' ? key : `${this.#path}.${key}`;
    const field = node.fields?.get(key);
    if (node.type === 'struct' && field === undefined) {
      this.#strict('unknown', path);
      return undefined;
    }
    if (seen.has(key)) this.#strict('duplicate', path);
    seen.add(key);
    this.#path = path;
    if (field !== undefined) {
      this.#struct = node.goType.slice(node.goType.lastIndexOf('.') + 1);
      this.#fields = [...this.#fields, ...(field.embeddedIn?.split('.') ?? []), key];
    }
    return field?.node ?? node.element ?? anything;
  }

  #array(node: SchemaNode | undefined): void {
    const listed = node?.type === 'list' || node?.type === 'any' || node?.type === 'bytes';
    const element = node?.type === 'bytes' ? byte : (node?.element ?? anything);
    if (node !== undefined && !listed) this.#mistyped({ value: 'array', goType: node.goType });
    const path = this.#path;
    this.#at++;
    let index = 0;
    for (this.#space(); this.#text[this.#at] !== ']'; this.#space()) {
      if (this.#text[this.#at] === ',') this.#at++;
      if (listed) this.#path = `${path}[${index++}]`;
      this.value(listed ? element : undefined);
    }
    this.#path = path;
    this.#at++;
  }

  #literal(node: SchemaNode | undefined): void {
    const start = this.#at;
    this.#skip();
    const literal = this.#text.slice(start, this.#at);
    if (node === undefined || literal === 'null' || fits(node, literal)) return;
    const isNumber = node.type === 'int32' || node.type === 'int64' || node.type === 'float64';
    const value = kindOf(literal) === 'number' && isNumber ? `number ${literal}` : kindOf(literal);
    if (node.type === 'bytes' && value === 'string') this.#failed(base64Problem(literal));
    else this.#mistyped({ value, goType: node.goType });
  }

  #mistyped(problem: TypeProblem): void {
    this.#failed(this.#worded(problem));
  }

  #failed(text: string): void {
    this.fatal ??= text;
  }

  #worded(problem: TypeProblem | string): string {
    if (typeof problem === 'string') return problem;
    const place = this.#fields.length === 0 ? 'Go value' : `Go struct field ${this.#struct}.${this.#fields.join('.')}`;
    return `json: cannot unmarshal ${problem.value} into ${place} of type ${problem.goType}`;
  }

  #strict(kind: 'unknown' | 'duplicate', path: string): void {
    if (this.fieldErrors.size < 100) this.fieldErrors.add(`${kind} field ${goQuote(path)}`);
  }

  #space(): void {
    while (' \t\r\n'.includes(this.#text[this.#at]!)) this.#at++;
  }

  #string(): string {
    const start = this.#at;
    this.#skipString();
    return JSON.parse(this.#text.slice(start, this.#at)) as string;
  }

  #skipString(): void {
    for (this.#at++; this.#text[this.#at] !== '"'; this.#at++) if (this.#text[this.#at] === '\\') this.#at++;
    this.#at++;
  }

  // Moves behind the value that starts here.
  #skip(): void {
    let depth = 0;
    do {
      const char = this.#text[this.#at]!;
      if (char === '"') {
        this.#skipString();
        continue;
      }
      if (char === '{' || char === '[') depth++;
      else if (char === '}' || char === ']') depth--;
      this.#at++;
      if (depth === 0 && char !== '}' && char !== ']') this.#skipWord();
    } while (depth > 0);
  }

  #skipWord(): void {
    while (this.#at < this.#text.length && !' \t\r\n,]}'.includes(this.#text[this.#at]!)) this.#at++;
  }
}

/** Of json.UnmarshalTypeError: what stood there, and the Go type that it does not fit. */
interface TypeProblem {
  readonly value: string;
  readonly goType: string;
}

/** Types that decode themselves: what they say against a value, undefined when they take it. */
const unmarshalers: Partial<Record<SchemaNode['type'], (json: string) => TypeProblem | string | undefined>> = {
  time: (json) => timeProblem(json, RFC3339),
  microTime: (json) => timeProblem(json, RFC3339_MICRO),
  quantity: quantityProblem,
  intOrString: (json) => {
    if (json === 'null' || kindOf(json) === 'string' || fits({ type: 'int32', goType: 'int32' }, json))
      return undefined;
    return { value: kindOf(json) === 'number' ? `number ${json}` : kindOf(json), goType: 'int32' };
  },
};

function timeProblem(json: string, layout: typeof RFC3339): TypeProblem | string | undefined {
  if (json === 'null') return undefined;
  if (kindOf(json) !== 'string') return { value: kindOf(json), goType: 'string' };
  try {
    canonicalTime(JSON.parse(json) as string, layout);
    return undefined;
  } catch (error) {
    if (error instanceof GoTimeError) return error.message;
    throw error;
  }
}

// Reads the text between the quotes as it stands, escapes and all, as upstream does.
function quantityProblem(json: string): string | undefined {
  if (json === 'null') return undefined;
  try {
    canonicalQuantity(json.replace(/^"(.*)"$/s, '$1').trim());
    return undefined;
  } catch (error) {
    if (error instanceof QuantityError) return error.message;
    throw error;
  }
}

const isRaw = (node: SchemaNode): boolean => node.type === 'any' && node.goType !== 'interface {}';

function kindOf(json: string): 'string' | 'number' | 'bool' | 'object' | 'array' | 'null' {
  const char = json[0]!;
  if (char === '"') return 'string';
  if (char === '{') return 'object';
  if (char === '[') return 'array';
  if (char === 't' || char === 'f') return 'bool';
  return char === 'n' ? 'null' : 'number';
}

function fits(node: SchemaNode, literal: string): boolean {
  const kind = kindOf(literal);
  switch (node.type) {
    case 'any':
      return true;
    case 'string':
      return kind === 'string';
    case 'boolean':
      return kind === 'bool';
    case 'int32':
      return (
        kind === 'number' &&
        (node === byte ? /^\d{1,3}$/.test(literal) && Number(literal) < 256 : isInteger(literal, 31n))
      );
    case 'int64':
      return kind === 'number' && isInteger(literal, 63n);
    case 'float64':
      return kind === 'number' && Number.isFinite(Number(literal));
    case 'bytes':
      return kind === 'string' && base64Problem(literal) === '';
    default:
      return false;
  }
}

function isInteger(literal: string, bits: bigint): boolean {
  if (!/^-?[0-9]+$/.test(literal)) return false;
  const value = BigInt(literal);
  return value >= -(2n ** bits) && value < 2n ** bits;
}

/** '' for good base64, else the text of Go's decoder with the offset at which it gave up. */
function base64Problem(literal: string): string {
  const text = JSON.parse(literal) as string;
  const at = base64FaultAt(text);
  return at === undefined ? '' : `illegal base64 data at input byte ${at}`;
}

function base64FaultAt(text: string): number | undefined {
  let inQuantum = 0;
  for (let index = 0; index < text.length; index++) {
    const char = text[index]!;
    if (char === '\n' || char === '\r') continue;
    if (/[A-Za-z0-9+/]/.test(char)) inQuantum = (inQuantum + 1) % 4;
    else if (char === '=' && inQuantum >= 2) return paddingFaultAt(text, index, inQuantum);
    else return index;
  }
  return inQuantum === 0 ? undefined : text.length - inQuantum;
}

// Behind two or three digits of the last quantum: `==` or `=`, and then only line ends.
function paddingFaultAt(text: string, first: number, inQuantum: number): number | undefined {
  const skipEnds = (from: number): number => {
    let index = from;
    while (text[index] === '\n' || text[index] === '\r') index++;
    return index;
  };
  let next = skipEnds(first + 1);
  if (inQuantum === 2) {
    if (next === text.length) return text.length;
    if (text[next] !== '=') return next - 1;
    next = skipEnds(next + 1);
  }
  return next === text.length ? undefined : next;
}
