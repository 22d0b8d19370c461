import { TowtankError } from '../../errors/towtank-error.ts';
import { chainProperties, setKeyword, setProperties } from './print-declaration.ts';
import { printElement, printRule, quote } from './print-rule.ts';
import type { Element } from './rule.ts';
import type { ChainDeclaration, SetDeclaration } from './table.ts';
import type { Operation, Transaction } from './transaction.ts';

// nft reads a line of any length, but its memory grows with the longest one.
const elementsPerLine = 500;

/** The script for `nft -f -` that makes these changes in one transaction. */
export function printTransaction({ family, table, operations }: Transaction): string {
  const where = `${family} ${table}`;
  return `${operations.map((operation) => printOperation(operation, where)).join('\n')}\n`;
}

function printOperation(operation: Operation, where: string): string {
  switch (operation.kind) {
    case 'add-table':
      return `add table ${where}${block(tableProperties(operation))}`;
    case 'delete-table':
      return `delete table ${where}`;
    case 'add-chain':
      return printAddChain(operation.chain, where);
    case 'flush-chain':
      return `flush chain ${where} ${operation.chain}`;
    case 'delete-chain':
      return `delete chain ${where} ${operation.chain}`;
    case 'add-rule':
      return `add rule ${where} ${operation.chain} ${printRule(operation.rule)}`;
    case 'insert-rules':
      return operation.rules
        .map((rule) => `insert rule ${where} ${operation.chain} ${printRule(rule)}`)
        .reverse()
        .join('\n');
    case 'delete-rules-behind':
      throw new TowtankError({
        code: 'ERR_INTERNAL',
        message: `the nft program cannot keep ${operation.count} rules of chain ${operation.chain} and delete the others`,
      });
    case 'add-set':
      return `add ${setKeyword(operation.set)} ${where} ${operation.set.name}${block(setProperties(operation.set))}`;
    case 'flush-set':
      return `flush ${setKeyword(operation.set)} ${where} ${operation.set.name}`;
    case 'delete-set':
      return `delete set ${where} ${operation.set}`;
    case 'add-elements':
      return printElements(`add element ${where} ${operation.set.name}`, operation.elements);
    case 'delete-elements':
      return printElements(
        `delete element ${where} ${operation.set.name}`,
        withoutValues(operation.set, operation.elements),
      );
  }
}

function tableProperties({ comment, isOwned }: Extract<Operation, { readonly kind: 'add-table' }>): string[] {
  return [
    ...(isOwned === true ? ['flags owner'] : []),
    ...(comment === undefined ? [] : [`comment ${quote(comment)}`]),
  ];
}

function printAddChain(chain: ChainDeclaration, where: string): string {
  return `add chain ${where} ${chain.name}${block(chainProperties(chain))}`;
}

function block(properties: readonly string[]): string {
  return properties.length === 0 ? '' : ` { ${properties.join('; ')}; }`;
}

// A value is not needed to delete, except that older nft refuses verdict maps without.
function withoutValues(set: SetDeclaration, elements: readonly Element[]): readonly Element[] {
  return elements.map(({ key, value }) => (set.data === 'verdict' ? { key, value } : { key }));
}

function printElements(command: string, elements: readonly Element[]): string {
  const lines: string[] = [];
  for (let start = 0; start < elements.length; start += elementsPerLine) {
    const part = elements.slice(start, start + elementsPerLine).map(printElement);
    lines.push(`${command} { ${part.join(', ')} }`);
  }
  return lines.join('\n');
}
