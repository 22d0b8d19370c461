import {
  type Element,
  isGenerator,
  type Lookup,
  type LookupKey,
  type Rule,
  type Statement,
  type Verdict,
} from './rule.ts';

/** A rule in the text that nft lists and reads. */
export function printRule(rule: Rule): string {
  const words = rule.statements.map(printStatement);
  if (rule.comment !== undefined) words.push(`comment ${quote(rule.comment)}`);
  return words.join(' ');
}

/** `accept`, `goto CHAIN` and so on. */
export function printVerdict(verdict: Verdict): string {
  return 'chain' in verdict ? `${verdict.kind} ${verdict.chain}` : verdict.kind;
}

/** An element as it stands inside braces. */
export function printElement({ key, value, comment, expiresSeconds }: Element): string {
  const lasting = expiresSeconds === undefined ? key : `${key} expires ${Math.ceil(expiresSeconds)}s`;
  const noted = comment === undefined ? lasting : `${lasting} comment ${quote(comment)}`;
  if (value === undefined) return noted;
  return `${noted} : ${typeof value === 'string' ? value : printVerdict(value)}`;
}

/** A text in double quotes; quotes inside, which nft cannot read, become single ones. */
export function quote(text: string): string {
  return `"${text.replaceAll('"', "'")}"`;
}

/** A mark as nft prints it: eight hexadecimal digits. */
export function printMark(mark: number): string {
  return `0x${(mark >>> 0).toString(16).padStart(8, '0')}`;
}

/** One statement of a rule. */
export function printStatement(statement: Statement): string {
  switch (statement.kind) {
    case 'match':
      return printMatch(statement);
    case 'mark':
      return `meta mark & ${printMark(statement.mask)} ${statement.not ? '!=' : '=='} ${printMark(statement.value)}`;
    case 'set-mark':
      return `meta mark set meta mark ${statement.operator} ${printMark(statement.bits)}`;
    case 'vmap':
      return `${printKey(statement.key)} vmap ${printLookup(statement.map)}`;
    case 'dnat':
      return `dnat to ${statement.to}`;
    case 'dnat-map':
      return `dnat ${statement.family} to ${printKey(statement.key)} map ${printLookup(statement.map)}`;
    case 'masquerade':
      return statement.fullyRandom ? 'masquerade fully-random' : 'masquerade';
    case 'update':
      return `update @${statement.set} { ${statement.field} }`;
    case 'reject':
      return statement.with === undefined ? 'reject' : `reject with ${statement.with}`;
    case 'counter':
      return 'counter';
    case 'verdict':
      return printVerdict(statement.verdict);
    case 'other':
      return statement.text;
  }
}

function printMatch({ fields, in: lookup, not }: Extract<Statement, { readonly kind: 'match' }>): string {
  const operator = not ? '!= ' : '';
  const key = fields.join(' . ');
  if ('name' in lookup) return `${key} ${operator}@${lookup.name}`;
  const [only, ...more] = lookup.elements;
  if (only === undefined || more.length > 0) return `${key} ${operator}${printLookup(lookup)}`;
  const text = fields[0] === 'iifname' || fields[0] === 'oifname' ? quote(only.key) : only.key;
  return `${key} ${operator}${text}`;
}

function printKey(key: LookupKey): string {
  if (!isGenerator(key)) return key.join(' . ');
  const offset = key.offset === 0 ? '' : ` offset ${key.offset}`;
  return `numgen ${key.mode} mod ${key.modulus}${offset}`;
}

function printLookup(lookup: Lookup): string {
  return 'name' in lookup ? `@${lookup.name}` : `{ ${lookup.elements.map(printElement).join(', ')} }`;
}
