import type { Meter } from './meter.ts';
import { EvaluationError, noSuchOverload, type Value } from './values.ts';

/** The variables while an expression is evaluated, innermost first. */
export interface Scope {
  readonly name: string;
  readonly value: Value;
  readonly outer: Scope | undefined;
  readonly meter: Meter;
}

/** A compiled expression. Throws EvaluationError. */
export type Program = (scope: Scope) => Value;

/** What compiling knows of its surroundings. */
export interface Names {
  readonly source: string;
  readonly variables: readonly string[];
}

/** The boolean that a program gives, or why it gives none; a used up budget is thrown. */
export function attempt(program: Program, scope: Scope): boolean | EvaluationError {
  try {
    const value = program(scope);
    return typeof value === 'boolean' ? value : noSuchOverload();
  } catch (error) {
    if (error instanceof EvaluationError && scope.meter.left >= 0) return error;
    throw error;
  }
}

/** The boolean that a program gives. Throws EvaluationError when it gives something else. */
export function test(program: Program, scope: Scope): boolean {
  const value = program(scope);
  if (typeof value !== 'boolean') throw noSuchOverload();
  return value;
}
