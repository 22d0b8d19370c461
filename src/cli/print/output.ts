import { stringify } from 'yaml';
import type { Output } from './output-forms.ts';

/** Prints a value in the form that `-o` names; `table` is made only when it is asked for. */
export function printAs(output: Output, value: unknown, table: () => string): string {
  if (output === 'json') return JSON.stringify(value, undefined, 2);
  if (output === 'yaml') return stringify(value).trimEnd();
  return table();
}
