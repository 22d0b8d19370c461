import { SourceProblem } from './rule-problem.ts';
import { Uint, type Value } from './values.ts';

/** A piece of CEL source. */
export interface Token {
  readonly type: 'name' | 'literal' | 'operator' | 'end';
  readonly at: number;
  readonly text: string;
  /** Of literals. */
  readonly value?: Value;
}

const SPACE = /(?:[\t\n\f\r ]|\/\/[^\n]*)*/y;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER =
  /0x[0-9a-fA-F]+[uU]?|[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[uU]?/y;
const STRING = /[bB]?[rR]?(?="|')/y;
const OPERATOR = /&&|\|\||==|!=|<=|>=|[-+*/%!<>?:.,()[\]{}]/y;
const MAX_INT = 2n ** 63n - 1n;

/** Cuts CEL source into tokens. Throws SourceProblem. */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(source)?.[0];
  };
  for (;;) {
    at += take(SPACE)!.length;
    if (at >= source.length) return [...tokens, { type: 'end', at, text: '<EOF>' }];
    const token = next(source, at, take);
    tokens.push(token);
    at += token.text.length;
  }
}

function next(source: string, at: number, take: (pattern: RegExp) => string | undefined): Token {
  const prefix = take(STRING);
  if (prefix !== undefined) return readString(source, at, prefix.toLowerCase());
  const name = take(NAME);
  if (name === 'true' || name === 'false') return { type: 'literal', at, text: name, value: name === 'true' };
  if (name === 'null') return { type: 'literal', at, text: name, value: null };
  if (name !== undefined) return { type: 'name', at, text: name };
  const number = take(NUMBER);
  if (number !== undefined) return { type: 'literal', at, text: number, value: numberOf(source, at, number) };
  const operator = take(OPERATOR);
  if (operator !== undefined) return { type: 'operator', at, text: operator };
  throw new SourceProblem(source, at, `Syntax error: token recognition error at: '${source.slice(at, at + 1)}'`);
}

function numberOf(source: string, at: number, text: string): Value {
  if (/^[0-9]*\.|^(?!0x)[0-9]+[eE]/.test(text)) return Number(text);
  const unsigned = /[uU]$/.test(text);
  const value = BigInt(unsigned ? text.slice(0, -1) : text);
  if (unsigned) return new Uint(value);
  // The one number that only fits with its sign is checked by the parser.
  if (value > MAX_INT + 1n) throw new SourceProblem(source, at, 'invalid int literal');
  return value;
}

function readString(source: string, at: number, prefix: string): Token {
  const start = at + prefix.length;
  const triple = source.startsWith('"""', start) || source.startsWith("'''", start);
  const quote = source.slice(start, start + (triple ? 3 : 1));
  let end = start + quote.length;
  while (!source.startsWith(quote, end)) {
    const skipped = !prefix.includes('r') && source[end] === '\\' ? 2 : 1;
    if (end + skipped > source.length || (!triple && source[end] === '\n'))
      throw new SourceProblem(
        source,
        at,
        `Syntax error: token recognition error at: '${source.slice(at).split('\n', 1)[0]}'`,
      );
    end += skipped;
  }
  const text = source.slice(at, end + quote.length);
  const inner = source
    .slice(start + quote.length, end)
    .replaceAll('\r\n', '\n')
    .replaceAll('\r', '\n');
  const isBytes = prefix.includes('b');
  if (prefix.includes('r')) return { type: 'literal', at, text, value: isBytes ? Buffer.from(inner) : inner };
  const parts = unescapeText(source, at, inner, isBytes);
  return {
    type: 'literal',
    at,
    text,
    value: isBytes ? Buffer.concat(parts.map((part) => Buffer.from(part))) : parts.join(''),
  };
}

const ESCAPE =
  /\\(?:([abfnrtv\\?"'`])|x([0-9a-fA-F]{2})|X([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2}))/y;
const simple: Readonly<Record<string, string>> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };

// In bytes \x and octal escapes are bytes, in texts they are characters.
function unescapeText(source: string, at: number, inner: string, isBytes: boolean): (string | Buffer)[] {
  const parts: (string | Buffer)[] = [];
  let position = 0;
  while (position < inner.length) {
    const slash = inner.indexOf('\\', position);
    if (slash === -1) return [...parts, inner.slice(position)];
    parts.push(inner.slice(position, slash));
    ESCAPE.lastIndex = slash;
    const match = ESCAPE.exec(inner);
    if (!match) throw new SourceProblem(source, at, 'Syntax error: invalid escape sequence');
    const [all, letter, x, bigX, u, bigU, octal] = match;
    const code =
      letter === undefined ? Number.parseInt(x ?? bigX ?? u ?? bigU ?? octal!, octal === undefined ? 16 : 8) : 0;
    if (letter !== undefined) parts.push(simple[letter] ?? letter);
    else if (isBytes && u === undefined && bigU === undefined) parts.push(Buffer.from([code]));
    else if (code > 0x10ffff) throw new SourceProblem(source, at, 'Syntax error: invalid unicode code point');
    else parts.push(String.fromCodePoint(code));
    position = slash + all.length;
  }
  return parts;
}
