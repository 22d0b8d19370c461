import { parseRule } from '../../netfilter/iptables/parse-rule.ts';
import type { ChainRules } from '../../netfilter/iptables/restore-input.ts';
import type { TableEdit } from './table-edit.ts';

const COMMAND = /^-([ACDISX]) (\S+)(?: (.*))?$/;
// parseRule leaves counters out.
const SETS_COUNTERS = / (?:-c|--set-counters) /;

/** Whether a command only asks: a restore fails when the answer is no. */
export function isQuestion(command: string | ChainRules): boolean {
  return typeof command === 'string' && /^-[CS] /.test(command);
}

/** Carries out a command in a table; false when it is the program's, which either knows it or says what is wrong. */
export function carryOut(edit: TableEdit, command: string | ChainRules): boolean {
  if (typeof command === 'string') return carryOutLine(edit, command);
  return command.rules.every((rule) => edit.append(command.name, rule));
}

function carryOutLine(edit: TableEdit, line: string): boolean {
  if (line.startsWith(':')) return line.endsWith(' - [0:0]') && edit.declare(line.slice(1, -' - [0:0]'.length));
  const [, command, chain = '', rest = ''] = COMMAND.exec(line) ?? [];
  if (command === undefined || SETS_COUNTERS.test(line)) return false;
  if (command === 'X') return rest === '' && edit.removeChain(chain);
  if (command === 'S') return rest === '' && edit.has(chain);
  if (command === 'C') return edit.contains(chain, parseRule(rest));
  if (command === 'A') return edit.append(chain, parseRule(rest));
  if (command === 'D') return !/^\d+$/.test(rest) && edit.remove(chain, parseRule(rest));
  const [, position, rule] = /^(\d+) (.*)$/.exec(rest) ?? [];
  return edit.insert(chain, Number(position ?? 1), parseRule(rule ?? rest));
}
