import { parseElements, parseVerdict } from './parse-element.ts';
import type { Field, Lookup, LookupKey, NumberGenerator, Rule, Statement } from './rule.ts';
import type { TokenCursor } from './token-cursor.ts';

const fields: readonly Field[] = [
  'ip saddr',
  'ip daddr',
  'ip6 saddr',
  'ip6 daddr',
  'meta l4proto',
  'th sport',
  'th dport',
  'tcp dport',
  'udp dport',
  'sctp dport',
  'iifname',
  'oifname',
  'fib saddr type',
  'fib daddr type',
  'ct state',
  'ct status',
];
const fieldWords: readonly (readonly [Field, readonly string[]])[] = fields.map((field) => [field, field.split(' ')]);

/** Reads one rule up to the end of its line. What is not understood becomes a statement of kind `other`. */
export function parseRule(cursor: TokenCursor): Rule {
  const statements: Statement[] = [];
  while (!cursor.isAtSeparator) {
    if (cursor.take('comment')) return { statements, comment: cursor.next() };
    if (cursor.is('#')) {
      cursor.takeLine();
      break;
    }
    const back = cursor.mark();
    const statement = parseStatement(cursor);
    if (statement === undefined) {
      back();
      return { statements: [...statements, { kind: 'other', text: cursor.takeLine() }] };
    }
    statements.push(statement);
  }
  return { statements };
}

function parseStatement(cursor: TokenCursor): Statement | undefined {
  if (cursor.take('meta', 'mark')) return parseMark(cursor);
  if (cursor.take('numgen')) return parseVmap(cursor, parseGenerator(cursor));
  if (cursor.take('dnat')) return parseDnat(cursor);
  if (cursor.take('masquerade')) return { kind: 'masquerade', fullyRandom: cursor.take('fully-random') };
  if (cursor.take('reject')) return parseReject(cursor);
  if (cursor.take('counter')) return parseCounter(cursor);
  if (cursor.take('update')) return parseUpdate(cursor);
  const verdict = parseVerdict(cursor);
  if (verdict !== undefined) return { kind: 'verdict', verdict };
  return parseMatch(cursor);
}

function parseMatch(cursor: TokenCursor): Statement | undefined {
  const key = parseFields(cursor);
  if (key === undefined) return undefined;
  if (cursor.is('vmap')) return parseVmap(cursor, key);
  const not = cursor.take('!=');
  if (!not) cursor.take('==');
  const lookup = parseLookup(cursor) ?? { elements: parseValues(cursor, key) };
  return { kind: 'match', fields: key, in: lookup, ...(not ? { not } : {}) };
}

// States and status bits are joined by commas: any of them matches. Other values of several fields are joined by dots.
function parseValues(cursor: TokenCursor, key: readonly Field[]): readonly { readonly key: string }[] {
  const words = [cursor.next()];
  while (cursor.take('.')) words.push(cursor.next());
  const text = words.join(' . ');
  if (key[0] !== 'ct state' && key[0] !== 'ct status') return [{ key: text }];
  return text.split(',').map((state) => ({ key: state }));
}

function parseFields(cursor: TokenCursor): readonly Field[] | undefined {
  const found: Field[] = [];
  do {
    const field = fieldWords.find(([, words]) => cursor.take(...words))?.[0];
    if (field === undefined) return undefined;
    found.push(field);
  } while (cursor.take('.'));
  return found;
}

function parseVmap(cursor: TokenCursor, key: LookupKey | undefined): Statement | undefined {
  if (key === undefined || !cursor.take('vmap')) return undefined;
  const map = parseLookup(cursor);
  return map === undefined ? undefined : { kind: 'vmap', key, map };
}

function parseLookup(cursor: TokenCursor): Lookup | undefined {
  if (cursor.is('{')) return { elements: parseElements(cursor) };
  if (!cursor.peek().startsWith('@')) return undefined;
  return { name: cursor.next().slice(1) };
}

function parseGenerator(cursor: TokenCursor): NumberGenerator | undefined {
  const mode = cursor.next();
  if ((mode !== 'random' && mode !== 'inc') || !cursor.take('mod')) return undefined;
  const modulus = Number(cursor.next());
  return { mode, modulus, offset: cursor.take('offset') ? Number(cursor.next()) : 0 };
}

function parseMark(cursor: TokenCursor): Statement | undefined {
  if (cursor.take('set', 'meta', 'mark')) {
    const operator = cursor.next();
    return operator === '|' || operator === '^'
      ? { kind: 'set-mark', operator, bits: Number(cursor.next()) }
      : undefined;
  }
  const mask = cursor.take('&') ? Number(cursor.next()) : 0xffffffff;
  const not = cursor.take('!=');
  if (!not) cursor.take('==');
  const value = Number(cursor.next());
  return Number.isNaN(value) ? undefined : { kind: 'mark', mask, value, ...(not ? { not } : {}) };
}

function parseDnat(cursor: TokenCursor): Statement | undefined {
  const family = cursor.take('ip') ? 'ip' : cursor.take('ip6') ? 'ip6' : undefined;
  cursor.take('addr', '.', 'port');
  if (!cursor.take('to')) return undefined;
  const key = cursor.take('numgen') ? parseGenerator(cursor) : parseFields(cursor);
  if (key === undefined) return { kind: 'dnat', to: cursor.next() };
  const map = cursor.take('map') ? parseLookup(cursor) : undefined;
  return map === undefined || family === undefined ? undefined : { kind: 'dnat-map', family, key, map };
}

function parseReject(cursor: TokenCursor): Statement {
  if (!cursor.take('with')) return { kind: 'reject' };
  const words: string[] = [];
  while (!cursor.isAtSeparator && !cursor.is('comment')) words.push(cursor.next());
  return { kind: 'reject', with: words.join(' ') };
}

function parseCounter(cursor: TokenCursor): Statement {
  if (cursor.take('packets')) {
    cursor.next();
    cursor.expect('bytes');
    cursor.next();
  }
  return { kind: 'counter' };
}

function parseUpdate(cursor: TokenCursor): Statement | undefined {
  const set = cursor.next();
  if (!set.startsWith('@') || !cursor.take('{')) return undefined;
  const [field, ...more] = parseFields(cursor) ?? [];
  if (field === undefined || more.length > 0 || !cursor.take('}')) return undefined;
  return { kind: 'update', set: set.slice(1), field };
}
