import { parseElements } from './parse-element.ts';
import { parseRule } from './parse-rule.ts';
import type { Element, Rule } from './rule.ts';
import type { Chain, DataType, Hook, HookName, NamedSet, SetFlag, Table, TableFamily } from './table.ts';
import { TokenCursor } from './token-cursor.ts';

/**
 * Reads what `nft list table` or `nft list ruleset` prints. Rules and sets of kube-proxy's layout are understood fully;
 * of other rules what is not understood is kept as text, other objects are passed over. Throws ERR_PARSE_RULES.
 */
export function parseTables(text: string): Table[] {
  const cursor = new TokenCursor(text);
  const tables: Table[] = [];
  for (cursor.skipSeparators(); !cursor.isAtEnd; cursor.skipSeparators()) {
    cursor.expect('table');
    const family = cursor.next();
    const table = parseTable(cursor, family as TableFamily);
    if (family === 'ip' || family === 'ip6' || family === 'inet') tables.push(table);
  }
  return tables;
}

function parseTable(cursor: TokenCursor, family: TableFamily): Table {
  const name = cursor.next();
  const chains = new Map<string, Chain>();
  const sets = new Map<string, NamedSet>();
  let comment: string | undefined;
  cursor.expect('{');
  while (!cursor.takeBlockEnd()) {
    if (cursor.take('comment')) comment = cursor.next();
    else if (cursor.take('chain')) addNamed(chains, parseChain(cursor));
    else if (cursor.take('set') || cursor.take('map')) addNamed(sets, parseSet(cursor));
    else cursor.takeLine();
  }
  return { family, name, ...(comment === undefined ? {} : { comment }), chains, sets };
}

function addNamed<T extends { readonly name: string }>(map: Map<string, T>, item: T): void {
  map.set(item.name, item);
}

function parseChain(cursor: TokenCursor): Chain {
  const name = cursor.next();
  const rules: Rule[] = [];
  let hook: Hook | undefined;
  let comment: string | undefined;
  cursor.expect('{');
  while (!cursor.takeBlockEnd()) {
    if (cursor.take('type')) hook = parseHook(cursor);
    else if (cursor.take('policy')) hook = withPolicy(hook, cursor.next());
    else if (cursor.take('comment')) comment = cursor.next();
    else rules.push(parseRule(cursor));
  }
  return { name, ...(hook === undefined ? {} : { hook }), ...(comment === undefined ? {} : { comment }), rules };
}

const priorities: Readonly<Record<string, number>> = {
  raw: -300,
  mangle: -150,
  dstnat: -100,
  filter: 0,
  security: 50,
  srcnat: 100,
};

function parseHook(cursor: TokenCursor): Hook {
  const type = cursor.next() as Hook['type'];
  cursor.expect('hook');
  const hook = cursor.next() as HookName;
  cursor.expect('priority');
  const word = cursor.next();
  const base = priorities[word] ?? Number(word);
  const sign = cursor.take('+') ? 1 : cursor.take('-') ? -1 : 0;
  const priority = sign === 0 ? base : base + sign * Number(cursor.next());
  if (Number.isNaN(priority)) throw cursor.error('a priority');
  return { type, hook, priority, policy: 'accept' };
}

function withPolicy(hook: Hook | undefined, policy: string): Hook | undefined {
  return hook === undefined ? undefined : { ...hook, policy: policy === 'drop' ? 'drop' : 'accept' };
}

function parseSet(cursor: TokenCursor): NamedSet {
  const name = cursor.next();
  let types: Pick<NamedSet, 'key' | 'data'> = { key: [] };
  let flags: readonly SetFlag[] = [];
  let elements: readonly Element[] = [];
  let timeoutSeconds: number | undefined;
  let comment: string | undefined;
  cursor.expect('{');
  while (!cursor.takeBlockEnd()) {
    if (cursor.take('type') || cursor.take('typeof')) types = parseTypes(cursor);
    else if (cursor.take('flags')) flags = cursor.next().split(',') as SetFlag[];
    else if (cursor.take('timeout')) timeoutSeconds = parseDuration(cursor.next());
    else if (cursor.take('comment')) comment = cursor.next();
    else if (cursor.take('elements', '=')) elements = parseElements(cursor);
    else cursor.takeLine();
  }
  return {
    name,
    ...types,
    flags,
    ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
    ...(comment === undefined ? {} : { comment }),
    elements: new Map(elements.map((element) => [element.key, element])),
  };
}

function parseTypes(cursor: TokenCursor): Pick<NamedSet, 'key' | 'data'> {
  const key = parseTypeList(cursor);
  if (!cursor.take(':')) return { key };
  return cursor.take('verdict') ? { key, data: 'verdict' } : { key, data: parseTypeList(cursor) };
}

function parseTypeList(cursor: TokenCursor): DataType[] {
  const types: DataType[] = [];
  do {
    const words: string[] = [];
    while (!cursor.isAtSeparator && !cursor.is('.') && !cursor.is(':')) words.push(cursor.next());
    types.push(dataTypeOf(words.join(' ')));
  } while (cursor.take('.'));
  return types;
}

const dataTypes: readonly (readonly [RegExp, DataType])[] = [
  [/^(ipv4_addr|ip [sd]addr)$/, 'ipv4_addr'],
  [/^(ipv6_addr|ip6 [sd]addr)$/, 'ipv6_addr'],
  [/^(inet_proto|meta l4proto)$/, 'inet_proto'],
  [/^(inet_service|(tcp|udp|sctp|th) [sd]port)$/, 'inet_service'],
  [/^(ifname|[io]ifname)$/, 'ifname'],
  [/^(mark|meta mark)$/, 'mark'],
  [/^numgen /, 'number'],
];

function dataTypeOf(text: string): DataType {
  return dataTypes.find(([pattern]) => pattern.test(text))?.[1] ?? 'other';
}

const secondsOf: Readonly<Record<string, number>> = { w: 604_800, d: 86_400, h: 3600, m: 60, s: 1 };

// `1d2h3m4s`, `500ms`.
function parseDuration(text: string): number {
  let seconds = 0;
  for (const [, digits, unit] of text.matchAll(/(\d+)(ms|[wdhms])/g)) {
    seconds += Number(digits) * (unit === 'ms' ? 0.001 : (secondsOf[unit ?? ''] ?? 0));
  }
  return seconds;
}
