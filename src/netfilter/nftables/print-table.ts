import { chainProperties, setKeyword, setProperties } from './print-declaration.ts';
import { printElement, printRule, quote } from './print-rule.ts';
import type { Chain, NamedSet, Table } from './table.ts';

/** A whole table in the form of `nft -s list table`, which `nft -f` reads too. */
export function printTable(table: Table): string {
  const lines = [`table ${table.family} ${table.name} {`];
  if (table.comment !== undefined) lines.push(`\tcomment ${quote(table.comment)}`);
  for (const set of table.sets.values()) lines.push(...printSet(set), '');
  for (const chain of table.chains.values()) lines.push(...printChain(chain), '');
  if (lines.at(-1) === '') lines.pop();
  return `${lines.join('\n')}\n}\n`;
}

function printSet(set: NamedSet): string[] {
  const lines = [`\t${setKeyword(set)} ${set.name} {`, ...setProperties(set).map((line) => `\t\t${line}`)];
  if (set.elements.size > 0) {
    const elements = [...set.elements.values()].map(printElement);
    lines.push(`\t\telements = { ${elements.join(',\n\t\t\t     ')} }`);
  }
  return [...lines, '\t}'];
}

function printChain(chain: Chain): string[] {
  const properties = chainProperties(chain).map((line) => (line.startsWith('type') ? `${line};` : line));
  const lines = [...properties, ...chain.rules.map(printRule)];
  return [`\tchain ${chain.name} {`, ...lines.map((line) => `\t\t${line}`), '\t}'];
}
