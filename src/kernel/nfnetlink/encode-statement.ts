import { TowtankError } from '../../errors/towtank-error.ts';
import { isGenerator, type Lookup, type LookupKey, type Statement } from '../../netfilter/nftables/rule.ts';
import type { TableFamily } from '../../netfilter/nftables/table.ts';
import { AF_INET, AF_INET6 } from '../ffi/constants.ts';
import * as nf from './constants.ts';
import { type SetShape, writeVerdict } from './encode-elements.ts';
import { dataTypeOf, isComparison, matchShape, writeComparison, writeSetMatch } from './encode-match.ts';
import { encodeValue, littleEndian } from './encode-value.ts';
import type { ExpressionWriter } from './expression-writer.ts';
import { loadFields } from './load-field.ts';

/** A set that a rule looks something up in. */
export interface SetReference {
  readonly name: string;
  /** Of a set that this transaction makes for the rule alone. */
  readonly id: number | undefined;
  /** Interval sets hold numbers in network order. */
  readonly isInterval: boolean;
}

const register = nf.NFT_REG32_00;

/** The anonymous set that a statement needs; undefined when it names one, or needs none. */
export function anonymousSetOf(
  statement: Statement,
): { readonly lookup: Extract<Lookup, { readonly elements: unknown }>; readonly shape: SetShape } | undefined {
  if (statement.kind === 'match') {
    if (isComparison(statement) || 'name' in statement.in) return undefined;
    return { lookup: statement.in, shape: matchShape(statement) };
  }
  if ((statement.kind !== 'vmap' && statement.kind !== 'dnat-map') || 'name' in statement.map) return undefined;
  const key = isGenerator(statement.key) ? (['number'] as const) : statement.key.map(dataTypeOf);
  if (statement.kind === 'vmap') return { lookup: statement.map, shape: { key, data: 'verdict', flags: [] } };
  const address = statement.family === 'ip' ? 'ipv4_addr' : 'ipv6_addr';
  return { lookup: statement.map, shape: { key, data: [address, 'inet_service'], flags: [] } };
}

/** Writes the expressions of one statement. `set` is what it looks up in, if it does. Throws ERR_PARSE_RULES. */
export function writeStatement(
  e: ExpressionWriter,
  statement: Statement,
  { family, set }: { readonly family: TableFamily; readonly set: SetReference | undefined },
): void {
  switch (statement.kind) {
    case 'match':
      if (set === undefined) writeComparison(e, statement);
      else writeSetMatch(e, statement, set);
      break;
    case 'vmap':
      writeLookup(e, statement.key, present(set), nf.NFT_REG_VERDICT);
      break;
    case 'dnat-map':
      writeDnatMap(e, statement, present(set));
      break;
    case 'dnat':
      writeDnat(e, statement.to);
      break;
    case 'mark':
      writeMarkMatch(e, statement);
      break;
    case 'set-mark':
      writeSetMark(e, statement);
      break;
    case 'update':
      loadFields(e, [statement.field], register);
      e.update(statement.set, register);
      break;
    case 'verdict':
      e.verdict((w) => writeVerdict(w, statement.verdict));
      break;
    case 'reject':
      writeReject(e, statement, family);
      break;
    case 'masquerade':
      e.masquerade(statement.fullyRandom);
      break;
    case 'counter':
      e.counter();
      break;
    case 'other':
      throw new TowtankError({ code: 'ERR_PARSE_RULES', message: `cannot be written by netlink: ${statement.text}` });
  }
}

function present(set: SetReference | undefined): SetReference {
  if (set === undefined) throw new TowtankError({ code: 'ERR_INTERNAL', message: 'a lookup without a set' });
  return set;
}

function writeLookup(e: ExpressionWriter, key: LookupKey, set: SetReference, result: number): void {
  if (isGenerator(key)) {
    e.number(key, register);
    if (set.isInterval) e.toNetworkOrder(register);
  } else loadFields(e, key, register);
  e.lookup({ set: set.name, id: set.id, key: register, result });
}

// The value of the map comes into the same registers: the address first, the port behind it.
function writeDnatMap(
  e: ExpressionWriter,
  { family, key, map: _ }: Extract<Statement, { readonly kind: 'dnat-map' }>,
  set: SetReference,
): void {
  writeLookup(e, key, set, register);
  e.dnat(family === 'ip' ? AF_INET : AF_INET6, register, register + (family === 'ip' ? 1 : 4));
}

function writeDnat(e: ExpressionWriter, to: string): void {
  const colon = to.lastIndexOf(':');
  const isV6 = to.startsWith('[');
  const address = isV6 ? to.slice(1, colon - 1) : to.slice(0, colon);
  const port = register + (isV6 ? 4 : 1);
  e.constant(register, encodeValue(address, isV6 ? 'ipv6_addr' : 'ipv4_addr'));
  e.constant(port, encodeValue(to.slice(colon + 1), 'inet_service'));
  e.dnat(isV6 ? AF_INET6 : AF_INET, register, port);
}

function writeMarkMatch(
  e: ExpressionWriter,
  { mask, value, not = false }: Extract<Statement, { readonly kind: 'mark' }>,
): void {
  e.meta(3, register);
  e.bitwise(register, littleEndian(mask), littleEndian(0));
  e.compare(register, not ? 1 : 0, littleEndian(value));
}

function writeSetMark(
  e: ExpressionWriter,
  { operator, bits }: Extract<Statement, { readonly kind: 'set-mark' }>,
): void {
  e.meta(3, register);
  e.bitwise(register, littleEndian(operator === '|' ? ~bits : 0xffffffff), littleEndian(bits));
  e.setMark(register);
}

const icmpUnreachable = 0;
const tcpReset = 1;
const icmpxUnreachable = 2;

// Port unreachable, as nft's bare `reject` says: code 3 of ICMP, 4 of ICMPv6, 1 of nft's own for both.
function writeReject(
  e: ExpressionWriter,
  { with: reason }: Extract<Statement, { readonly kind: 'reject' }>,
  family: TableFamily,
): void {
  if (reason === 'tcp reset') {
    e.reject(tcpReset, 0);
    return;
  }
  if (reason !== undefined) {
    throw new TowtankError({ code: 'ERR_PARSE_RULES', message: `cannot be written by netlink: reject with ${reason}` });
  }
  if (family === 'inet') e.reject(icmpxUnreachable, 1);
  else e.reject(icmpUnreachable, family === 'ip' ? 3 : 4);
}
