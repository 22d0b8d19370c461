import type { Rule } from './rule.ts';

/** The rules of a chain that are printed only when a program has to read them. */
export interface ChainRules {
  readonly name: string;
  readonly rules: readonly Rule[];
  /** The rules as `-A` lines. */
  readonly lines: string;
}

/** What iptables-restore is to do in one table, in this order: command lines (`:NAME - [0:0]`, `-I`, `-X`...) and rules to append. */
export interface RestoreSection {
  readonly table: string;
  readonly commands: readonly (string | ChainRules)[];
}

/** An input of iptables-restore: as text, or as what the text would be printed from. */
export type RestoreInput = string | readonly RestoreSection[];

/** The text that iptables-restore reads. */
export function printRestore(input: RestoreInput): string {
  if (typeof input === 'string') return input;
  return input
    .map(({ table, commands }) => {
      const lines = commands.map((command) => (typeof command === 'string' ? command : command.lines));
      return `${[`*${table}`, ...lines, 'COMMIT'].join('\n')}\n`;
    })
    .join('');
}

/** Splits a text by tables; undefined when it is not made of `*table`, command lines and `COMMIT`. */
export function parseRestore(text: string): RestoreSection[] | undefined {
  const sections: RestoreSection[] = [];
  let open: { readonly table: string; readonly commands: string[] } | undefined;
  for (const line of text.split('\n')) {
    if (open === undefined && line === '') continue;
    if (open === undefined) {
      if (!/^\*\w+$/.test(line)) return undefined;
      open = { table: line.slice(1), commands: [] };
    } else if (line === 'COMMIT') {
      sections.push(open);
      open = undefined;
    } else open.commands.push(line);
  }
  return open === undefined ? sections : undefined;
}
