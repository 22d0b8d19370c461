import type { StructuralSchema, ValidationRule } from '../custom/structural-schema.ts';
import { compileExpression } from './compile-expression.ts';
import type { Expression } from './expression.ts';
import { parseExpression } from './parse-expression.ts';
import type { Program } from './program.ts';
import { SourceProblem } from './rule-problem.ts';

/** A rule, ready to run. */
export interface CompiledRule {
  readonly rule: ValidationRule;
  /** Undefined for an empty rule and for one with a problem. */
  readonly program: Program | undefined;
  /** Why it cannot run. */
  readonly problem: string | undefined;
  readonly messageProgram: Program | undefined;
  /** Why its messageExpression cannot run; the message is used then. */
  readonly messageProblem: string | undefined;
  /** Compares with the object before an update, and says nothing about a new one. */
  readonly usesOldSelf: boolean;
}

const compiled = new WeakMap<readonly ValidationRule[], readonly CompiledRule[]>();

/** The rules that stand directly at a schema, compiled when first asked for. */
export function compileRules(schema: StructuralSchema): readonly CompiledRule[] {
  const rules = schema['x-kubernetes-validations'];
  if (!rules?.length) return [];
  const known = compiled.get(rules) ?? rules.map(compileRule);
  compiled.set(rules, known);
  return known;
}

function compileRule(rule: ValidationRule): CompiledRule {
  const main = compileText(rule.rule);
  const message = compileText(rule.messageExpression ?? '');
  return {
    rule,
    program: main.program,
    problem: main.problem === undefined ? undefined : `compilation failed: ${main.problem}`,
    messageProgram: message.program,
    messageProblem:
      message.problem === undefined ? undefined : `messageExpression compilation failed: ${message.problem}`,
    usesOldSelf: main.expression !== undefined && mentions(main.expression, 'oldSelf'),
  };
}

interface Compiled {
  readonly expression?: Expression;
  readonly program?: Program;
  readonly problem?: string;
}

function compileText(source: string): Compiled {
  if (source.trim() === '') return {};
  try {
    const expression = parseExpression(source);
    return { expression, program: compileExpression(expression, { source, variables: ['self', 'oldSelf'] }) };
  } catch (error) {
    if (error instanceof SourceProblem) return { problem: error.message };
    throw error;
  }
}

function mentions(part: unknown, name: string): boolean {
  if (typeof part !== 'object' || part === null) return false;
  const node = part as { readonly type?: unknown; readonly name?: unknown };
  if (node.type === 'name' && node.name === name) return true;
  return Object.values(part).some((inner) => mentions(inner, name));
}
