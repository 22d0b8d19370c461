import { goQuoteByte } from './go-text.ts';

/** What a quick look at a JSON text tells that JSON.parse does not. */
export interface JsonShape {
  /** Number of object keys in the text; more than the parsed value has means that some stand twice. */
  readonly keys: number;
  /** True when a number has a point or an exponent or more than 15 digits: JSON.parse may have hidden what it was. */
  readonly unusualNumbers: boolean;
  /** Objects and lists that are open at once at most. */
  readonly depth: number;
}

/** Looks over a text that is known to be JSON. */
export function jsonShape(text: Buffer): JsonShape {
  let keys = 0;
  let unusualNumbers = false;
  let digits = 0;
  let open = 0;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const byte = text[at]!;
    if (byte === 0x22) {
      at = stringEnd(text, at + 1);
      digits = 0;
    } else if (byte >= 0x30 && byte <= 0x39) {
      if (++digits > 15) unusualNumbers = true;
    } else {
      if (byte === 0x3a) keys++;
      else if (byte === 0x7b || byte === 0x5b) depth = Math.max(depth, ++open);
      else if (byte === 0x7d || byte === 0x5d) open--;
      else if (digits > 0 && (byte === 0x2e || byte === 0x65 || byte === 0x45)) unusualNumbers = true;
      digits = 0;
    }
  }
  return { keys, unusualNumbers, depth };
}

/** Number of object keys in a parsed value. */
export function countKeys(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) count += countKeys(item);
    return count;
  }
  for (const key of Object.keys(value)) count += 1 + countKeys((value as Record<string, unknown>)[key]);
  return count;
}

/** Index of the quote that ends the string whose first byte is at `at`. */
function stringEnd(text: Buffer, at: number): number {
  for (let index = at; ; index++) {
    const byte = text[index];
    if (byte === 0x5c) index++;
    else if (byte === 0x22 || byte === undefined) return index;
  }
}

/** Nesting that is refused: the real server refuses 10,000, but the stack of JavaScript ends earlier. */
export const MAX_DEPTH = 1000;
const isSpace = (byte: number): boolean =>
  byte === 0x20 || (byte >= 0x09 && byte <= 0x0d && byte !== 0x0b && byte !== 0x0c);
const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;

/** Thrown inside the scanner and turned into its answer. */
class SyntaxProblem extends Error {}

/** Why a text is no JSON, in the words of Go's scanner; undefined when it is JSON. */
export function goSyntaxError(text: Buffer): string | undefined {
  try {
    new Scanner(text).scan();
    return undefined;
  } catch (error) {
    if (error instanceof SyntaxProblem) return error.message;
    throw error;
  }
}

class Scanner {
  readonly #text: Buffer;
  #at = 0;

  constructor(text: Buffer) {
    this.#text = text;
  }

  scan(): void {
    // Not recursive, as hostile bodies nest deeper than the stack is.
    const open: ('{' | '[')[] = [];
    for (;;) {
      if (this.#value(open) === 'opened') continue;
      if (!this.#afterValue(open)) return;
    }
  }

  // Reads one value or opens a container.
  #value(open: ('{' | '[')[]): 'opened' | 'done' {
    const byte = this.#next();
    if (byte === 0x7b || byte === 0x5b) {
      if (open.length >= MAX_DEPTH) throw this.#invalid(byte, 'exceeded max depth');
      open.push(byte === 0x7b ? '{' : '[');
      const end = this.#peekSpaced();
      if (end === (byte === 0x7b ? 0x7d : 0x5d)) {
        this.#at++;
        open.pop();
        return 'done';
      }
      if (byte === 0x7b) this.#key();
      return 'opened';
    }
    this.#literal(byte);
    return 'done';
  }

  // What may follow a value; false at the end of the text.
  #afterValue(open: ('{' | '[')[]): boolean {
    for (;;) {
      const inside = open.at(-1);
      const byte = this.#peekSpaced();
      if (inside === undefined) {
        if (byte === undefined) return false;
        throw this.#invalid(byte, 'after top-level value');
      }
      if (byte === undefined) throw new SyntaxProblem('unexpected end of JSON input');
      this.#at++;
      if (byte === 0x2c) {
        if (inside === '{') this.#key();
        return true;
      }
      if (byte !== (inside === '{' ? 0x7d : 0x5d))
        throw this.#invalid(byte, inside === '{' ? 'after object key:value pair' : 'after array element');
      open.pop();
    }
  }

  #key(): void {
    const byte = this.#next();
    if (byte !== 0x22) throw this.#invalid(byte, 'looking for beginning of object key string');
    this.#string();
    const colon = this.#next();
    if (colon !== 0x3a) throw this.#invalid(colon, 'after object key');
  }

  #literal(byte: number): void {
    if (byte === 0x22) this.#string();
    else if (byte === 0x2d || isDigit(byte)) this.#number(byte);
    else if (byte === 0x74) this.#word('true');
    else if (byte === 0x66) this.#word('false');
    else if (byte === 0x6e) this.#word('null');
    else throw this.#invalid(byte, 'looking for beginning of value');
  }

  #word(word: string): void {
    for (const expected of word.slice(1)) {
      const byte = this.#take();
      if (byte !== expected.charCodeAt(0)) throw this.#invalid(byte, `in literal ${word} (expecting '${expected}')`);
    }
  }

  #string(): void {
    for (;;) {
      if (this.#at >= this.#text.length) throw new SyntaxProblem('unexpected end of JSON input');
      const byte = this.#take();
      if (byte === 0x22) return;
      if (byte < 0x20) throw this.#invalid(byte, 'in string literal');
      if (byte !== 0x5c) continue;
      const escaped = this.#take();
      if (escaped === 0x75) this.#hex();
      else if (!'bfnrt\\/"'.includes(String.fromCharCode(escaped)))
        throw this.#invalid(escaped, 'in string escape code');
    }
  }

  #hex(): void {
    for (let i = 0; i < 4; i++) {
      const byte = this.#take();
      if (!/[0-9a-fA-F]/.test(String.fromCharCode(byte)))
        throw this.#invalid(byte, 'in \\u hexadecimal character escape');
    }
  }

  #number(start: number): void {
    let byte = start;
    if (byte === 0x2d) {
      byte = this.#take();
      if (!isDigit(byte)) throw this.#invalid(byte, 'in numeric literal');
    }
    if (byte !== 0x30) while (isDigit(this.#text[this.#at] ?? 0)) this.#at++;
    if (this.#text[this.#at] === 0x2e) {
      this.#at++;
      this.#digits('after decimal point in numeric literal');
    }
    const exponent = this.#text[this.#at];
    if (exponent !== 0x65 && exponent !== 0x45) return;
    this.#at++;
    const sign = this.#text[this.#at];
    if (sign === 0x2b || sign === 0x2d) this.#at++;
    this.#digits('in exponent of numeric literal');
  }

  #digits(context: string): void {
    const byte = this.#take();
    if (!isDigit(byte)) throw this.#invalid(byte, context);
    while (isDigit(this.#text[this.#at] ?? 0)) this.#at++;
  }

  #next(): number {
    const byte = this.#peekSpaced();
    if (byte === undefined) throw new SyntaxProblem('unexpected end of JSON input');
    this.#at++;
    return byte;
  }

  // Go's scanner sees a space behind the end.
  #take(): number {
    return this.#text[this.#at++] ?? 0x20;
  }

  #peekSpaced(): number | undefined {
    while (this.#at < this.#text.length && isSpace(this.#text[this.#at]!)) this.#at++;
    return this.#text[this.#at];
  }

  #invalid(byte: number, context: string): SyntaxProblem {
    return new SyntaxProblem(`invalid character ${goQuoteByte(byte)} ${context}`);
  }
}
