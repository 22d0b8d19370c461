import { quote } from './print-rule.ts';
import type { ChainDeclaration, DataType, Hook, SetDeclaration } from './table.ts';

/** The inside of a chain declaration, one statement per entry: hook, then comment. */
export function chainProperties({ hook, comment }: ChainDeclaration): string[] {
  return [
    ...(hook === undefined ? [] : [printHook(hook)]),
    ...(comment === undefined ? [] : [`comment ${quote(comment)}`]),
  ];
}

/** The inside of a set or map declaration, one statement per entry. */
export function setProperties(set: SetDeclaration): string[] {
  const lines = [printType(set)];
  if (set.flags.length > 0) lines.push(`flags ${set.flags.join(',')}`);
  if (set.timeoutSeconds !== undefined) lines.push(`timeout ${set.timeoutSeconds}s`);
  if (set.comment !== undefined) lines.push(`comment ${quote(set.comment)}`);
  return lines;
}

/** `set` or `map`. */
export function setKeyword(set: SetDeclaration): 'set' | 'map' {
  return set.data === undefined ? 'set' : 'map';
}

function printHook({ type, hook, priority, policy }: Hook): string {
  return `type ${type} hook ${hook} priority ${priority}; policy ${policy}`;
}

// What a number generator yields has no type name: nft wants an expression to take the type from, and then for the value too.
const typeofExpressions: Readonly<Record<DataType, string>> = {
  ipv4_addr: 'ip daddr',
  ipv6_addr: 'ip6 daddr',
  inet_proto: 'meta l4proto',
  // 1.0.6 takes the protocol of an earlier line of a script for that of `tcp dport`, and objects to another.
  inet_service: 'th dport',
  ifname: 'iifname',
  mark: 'meta mark',
  number: 'numgen random mod 2',
  other: 'meta mark',
};

function printType({ key, data }: SetDeclaration): string {
  const byExpression = key.includes('number');
  const print = (types: readonly DataType[]): string =>
    types.map((type) => (byExpression ? typeofExpressions[type] : type)).join(' . ');
  const keyword = byExpression ? 'typeof' : 'type';
  if (data === undefined) return `${keyword} ${print(key)}`;
  return `${keyword} ${print(key)} : ${data === 'verdict' ? data : print(data)}`;
}
