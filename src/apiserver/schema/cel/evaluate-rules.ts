import { duplicate, forbidden, invalid, required } from '../../validation/field-errors.ts';
import type { FieldCause } from '../contract.ts';
import type { StructuralSchema, ValidationRule } from '../custom/structural-schema.ts';
import { goQuote } from '../go-text.ts';
import { type CompiledRule, compileRules } from './compile-rules.ts';
import { CostExceeded, Meter } from './meter.ts';
import { celValue } from './object-values.ts';
import type { Program, Scope } from './program.ts';
import { EvaluationError, Optional, type Value } from './values.ts';

const CALL_LIMIT = 1_000_000;
const OBJECT_LIMIT = 10_000_000;
const MAX_MESSAGE_BYTES = 5 * 1024;

/** What the rules of one object may still cost together. */
export class Budget {
  #left = OBJECT_LIMIT;

  get isExhausted(): boolean {
    return this.#left < 0;
  }

  /** Runs a program for a part of the budget. Throws EvaluationError. */
  run(program: Program, scope: (meter: Meter) => Scope): Value {
    const meter = new Meter(CALL_LIMIT);
    try {
      return program(scope(meter));
    } finally {
      this.#left -= CALL_LIMIT - Math.max(0, meter.left);
    }
  }

  /** Nothing runs any more. */
  exhaust(): void {
    this.#left = -1;
  }
}

/** What a rule says. */
export interface RuleFailure {
  readonly cause: FieldCause;
  /** It is about the change, which is there however little of the object changed. */
  readonly comparesWithPast: boolean;
}

interface RulesAt {
  readonly rules: StructuralSchema;
  readonly schema: StructuralSchema;
  readonly path: string;
}

interface Subject {
  readonly now: unknown;
  readonly before: unknown;
  readonly budget: Budget;
}

/** Evaluates the rules that stand directly at a schema. */
export function evaluateRules({ rules, schema, path }: RulesAt, subject: Subject): readonly RuleFailure[] {
  const { before, budget } = subject;
  const failures: RuleFailure[] = [];
  const field = path === '' ? '<nil>' : path;
  // Errors show the type of the value, failures of scalars the value itself.
  const error = (text: string): void => {
    failures.push({ cause: invalid(field, schema.type ?? '', text), comparesWithPast: true });
  };
  for (const compiled of compileRules(rules)) {
    const { rule, program, problem, usesOldSelf } = compiled;
    if (problem !== undefined) error(`rule compile error: ${problem}`);
    if (!program || (usesOldSelf && before === undefined && rule.optionalOldSelf !== true)) continue;
    try {
      const scope = scopeOf(schema, subject, rule.optionalOldSelf === true);
      if (budget.run(program, scope) === true) continue;
      if (budget.isExhausted) break;
      const text = messageOf(compiled, budget, scopeOf(schema, subject, false));
      const cause = causeOf(rule, { field: fieldOf(path, rule), now: subject.now, text, schema });
      failures.push({ cause, comparesWithPast: usesOldSelf });
    } catch (thrown) {
      if (!(thrown instanceof EvaluationError)) throw thrown;
      error(textOf(thrown, rule));
      if (thrown instanceof CostExceeded) budget.exhaust();
    }
    if (budget.isExhausted) break;
  }
  if (budget.isExhausted && !failures.some(({ cause }) => cause.message.includes('cost')))
    error('validation failed due to running out of cost budget, no further validation rules will be run');
  return failures;
}

function scopeOf(schema: StructuralSchema, { now, before }: Subject, optional: boolean): (meter: Meter) => Scope {
  const old = before === undefined || before === null ? undefined : celValue(before, schema);
  return (meter) => {
    const self: Scope = { name: 'self', value: celValue(now, schema), outer: undefined, meter };
    if (optional) return { name: 'oldSelf', value: new Optional(old), outer: self, meter };
    return old === undefined ? self : { name: 'oldSelf', value: old, outer: self, meter };
  };
}

function textOf(error: EvaluationError, rule: ValidationRule): string {
  const shown = (rule.message || rule.rule).trim();
  if (error.message.startsWith('no such overload'))
    return `'${error.message}': call arguments did not match a supported operator, function or macro signature for rule: ${shown}`;
  if (error instanceof CostExceeded)
    return `'${error.message}': no further validation rules will be run due to call cost exceeds limit for rule: ${shown}`;
  return `${error.message} evaluating rule: ${shown}`;
}

// A messageExpression that fails or gives nothing of use leaves the word to the message.
function messageOf({ rule, messageProgram }: CompiledRule, budget: Budget, scope: (meter: Meter) => Scope): string {
  const fallback = rule.message ? rule.message.trim() : `failed rule: ${rule.rule.trim()}`;
  if (!messageProgram) return fallback;
  try {
    const value = budget.run(messageProgram, scope);
    const text = typeof value === 'string' ? value.trim() : '';
    return text === '' || text.includes('\n') || Buffer.byteLength(text) > MAX_MESSAGE_BYTES ? fallback : text;
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error;
    if (!(error instanceof CostExceeded)) return fallback;
    budget.exhaust();
    return `no further validation rules will be run due to call cost exceeds limit for messageExpression: ${goQuote(rule.messageExpression ?? '')}`;
  }
}

function fieldOf(path: string, { fieldPath = '' }: ValidationRule): string {
  const below = fieldPath.replace(
    /\['((?:[^'\\]|\\.)*)'\]/g,
    (_all, name: string) => `.${name.replace(/\\(.)/g, '$1')}`,
  );
  const joined = path === '' ? below.replace(/^\./, '') : `${path}${below}`;
  return joined === '' ? '<nil>' : joined;
}

interface Failed {
  readonly field: string;
  readonly now: unknown;
  readonly text: string;
  readonly schema: StructuralSchema;
}

function causeOf({ reason }: ValidationRule, { field, now, text, schema }: Failed): FieldCause {
  const isWhole = schema.type === 'object' || schema.type === 'array';
  switch (reason) {
    case 'FieldValueForbidden':
      return forbidden(field, text);
    case 'FieldValueRequired':
      return required(field, text);
    case 'FieldValueDuplicate':
      return isWhole ? { reason, field, message: 'Duplicate value' } : duplicate(field, now);
    default:
      return isWhole
        ? { reason: 'FieldValueInvalid', field, message: `Invalid value: ${text}` }
        : invalid(field, now, text);
  }
}
