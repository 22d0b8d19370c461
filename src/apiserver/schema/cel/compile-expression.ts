import { compileComprehension } from './compile-comprehension.ts';
import type { Call, Entry, Expression, Item } from './expression.ts';
import { callFunction, hasFunction } from './functions.ts';
import { at, binaryOperators, find, unaryOperators } from './operators.ts';
import { attempt, type Names, type Program, type Scope, test } from './program.ts';
import { SourceProblem } from './rule-problem.ts';
import { EntryMap, EvaluationError, ListValue, noSuchOverload, Optional, TypeValue, type Value } from './values.ts';

const types: Readonly<Record<string, string>> = {
  bool: 'bool',
  bytes: 'bytes',
  double: 'double',
  int: 'int',
  list: 'list',
  map: 'map',
  null_type: 'null_type',
  optional_type: 'optional_type',
  string: 'string',
  type: 'type',
  uint: 'uint',
};

/** Compiles an expression. Throws SourceProblem for names that nobody declared. */
export function compileExpression(expression: Expression, names: Names): Program {
  switch (expression.type) {
    case 'literal':
      return () => expression.value;
    case 'name':
      return compileName(expression.name, expression.at, names);
    case 'select':
    case 'index':
      return compileAccess(expression, names);
    case 'call':
      return compileCall(expression, names);
    case 'logic':
      return compileLogic(expression, names);
    case 'choice':
      return compileChoice(expression, names);
    case 'list':
      return compileList(expression.items, names);
    case 'map':
      return compileMap(expression.entries, names);
    case 'comprehension':
      return compileComprehension(expression, names, compileExpression);
  }
}

function compileName(name: string, at: number, { source, variables }: Names): Program {
  if (variables.includes(name))
    return (scope) => {
      scope.meter.spend(1);
      let found: Scope | undefined = scope;
      while (found && found.name !== name) found = found.outer;
      if (!found) throw new EvaluationError(`no such attribute(s): ${name}`);
      return found.value;
    };
  if (!Object.hasOwn(types, name))
    throw new SourceProblem(source, at, `undeclared reference to '${name}' (in container '')`);
  const value = new TypeValue(types[name]!);
  return () => value;
}

type Access = Extract<Expression, { readonly type: 'select' | 'index' }>;

// Optional access is handed on: what is looked up in an optional value is optional too.
function compileAccess(access: Access, names: Names): Program {
  const operand = compileExpression(access.operand, names);
  const key = access.type === 'index' ? compileExpression(access.index, names) : (): Value => access.field;
  const isTest = access.type === 'select' && access.test;
  return (scope) => {
    scope.meter.spend(1);
    const container = operand(scope);
    const index = key(scope);
    if (container instanceof Optional || access.optional) {
      const inner = container instanceof Optional ? container.value : container;
      const found = inner === undefined ? undefined : find(inner, index);
      if (isTest) return found !== undefined;
      return found === undefined ? Optional.none : new Optional(found);
    }
    return isTest ? find(container, index) !== undefined : at(container, index);
  };
}

function compileCall(call: Call, names: Names): Program {
  const unary = unaryOperators[call.name];
  const binary = binaryOperators[call.name];
  const qualified = call.target?.type === 'name' && !names.variables.includes(call.target.name);
  const name = qualified ? `${(call.target as { name: string }).name}.${call.name}` : call.name;
  const given = call.target && !qualified ? [call.target, ...call.args] : call.args;
  const args = given.map((arg) => compileExpression(arg, names));
  if (unary || binary)
    return (scope) => {
      const [a, b] = args.map((arg) => arg(scope));
      scope.meter.spend(1 + weight(a) + weight(b));
      return unary ? unary(a!) : binary!(a!, b!);
    };
  const isMethod = call.target !== undefined && !qualified;
  if (!hasFunction(name, isMethod))
    throw new SourceProblem(names.source, call.at, `undeclared reference to '${call.name}' (in container '')`);
  if (name === 'or' || name === 'orValue') return compileOr(args, name);
  return (scope) => {
    const values = args.map((arg) => arg(scope));
    scope.meter.spend(values.reduce<number>((sum, value) => sum + weight(value), 1));
    return callFunction(name, isMethod, values);
  };
}

// Long texts and lists cost more than others, a tenth of their length as upstream counts.
function weight(value: Value | undefined): number {
  if (typeof value === 'string') return Math.ceil(value.length / 10);
  return value instanceof ListValue ? Math.ceil(value.size / 10) : 0;
}

// The other side is only looked at when it is needed.
function compileOr([optional, other]: readonly Program[], name: string): Program {
  return (scope) => {
    scope.meter.spend(1);
    const value = optional!(scope);
    if (!(value instanceof Optional)) throw noSuchOverload();
    if (value.value === undefined) return other!(scope);
    return name === 'or' ? value : value.value;
  };
}

type Of<T extends Expression['type']> = Extract<Expression, { readonly type: T }>;

// A side that fails does not matter when the other decides.
function compileLogic({ operator, sides }: Of<'logic'>, names: Names): Program {
  const [left, right] = sides.map((side) => compileExpression(side, names)) as [Program, Program];
  const decisive = operator === '||';
  return (scope) => {
    const first = attempt(left, scope);
    if (first === decisive) return decisive;
    const second = attempt(right, scope);
    if (second === decisive) return decisive;
    if (first instanceof EvaluationError) throw first;
    if (second instanceof EvaluationError) throw second;
    return !decisive;
  };
}

function compileChoice({ condition, yes, no }: Of<'choice'>, names: Names): Program {
  const [decision, whenTrue, whenFalse] = [condition, yes, no].map((part) => compileExpression(part, names));
  return (scope) => (test(decision!, scope) ? whenTrue : whenFalse)!(scope);
}

function compileList(items: readonly Item[], names: Names): Program {
  const programs = items.map(({ value, optional }) => ({ value: compileExpression(value, names), optional }));
  return (scope) => {
    scope.meter.spend(10 + items.length);
    return new ListValue(programs.flatMap(({ value, optional }) => present(value(scope), optional)));
  };
}

function compileMap(entries: readonly Entry[], names: Names): Program {
  const programs = entries.map(({ key, value, optional }) => ({
    key: compileExpression(key, names),
    value: compileExpression(value, names),
    optional,
  }));
  return (scope) => {
    scope.meter.spend(30 + entries.length);
    return new EntryMap(
      programs.flatMap(({ key, value, optional }) => {
        const name = key(scope);
        return present(value(scope), optional).map((item) => [name, item] as const);
      }),
    );
  };
}

function present(value: Value, optional: boolean): Value[] {
  if (!optional) return [value];
  if (!(value instanceof Optional))
    throw new EvaluationError(`cannot initialize optional list element from non-optional value ${String(value)}`);
  return value.value === undefined ? [] : [value.value];
}
