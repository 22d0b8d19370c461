import type { Comprehension, Expression } from './expression.ts';
import { attempt, type Names, type Program, type Scope, test } from './program.ts';
import {
  compare,
  EntryMap,
  EvaluationError,
  ListValue,
  MapValue,
  noSuchOverload,
  Optional,
  type Value,
} from './values.ts';

interface Parts {
  readonly range: Program;
  readonly programs: readonly Program[];
  readonly variables: readonly string[];
}

/** Compiles a macro that binds variables; `compile` compiles what is in it. */
export function compileComprehension(
  { macro, range, variables, args }: Comprehension,
  names: Names,
  compile: (expression: Expression, names: Names) => Program,
): Program {
  const inner = { ...names, variables: [...variables, ...names.variables] };
  return compilers[macro]!({
    range: compile(range, names),
    programs: args.map((arg) => compile(arg, inner)),
    variables,
  });
}

const compilers: Readonly<Record<string, (parts: Parts) => Program>> = {
  all: (parts) => compileQuantifier(parts, false),
  exists: (parts) => compileQuantifier(parts, true),
  exists_one: compileExistsOne,
  existsOne: compileExistsOne,
  filter: compileFilter,
  map: compileMapping,
  sortBy: compileSortBy,
  transformList: compileMapping,
  transformMap: (parts) => compileMapTransform(parts, (key, value) => [[key, value]]),
  transformMapEntry: (parts) => compileMapTransform(parts, (_key, value) => entriesOf(value)),
  optMap: (parts) => compileOptional(parts, (value) => new Optional(value)),
  optFlatMap: (parts) => compileOptional(parts, (value) => value),
};

interface Element {
  readonly inner: Scope;
  /** What the first variable stands for. */
  readonly first: Value;
}

// One variable stands for items of lists and keys of maps; two stand for index or key and for the value.
function* elements({ range, variables }: Parts, scope: Scope): Generator<Element> {
  const container = range(scope);
  const isMap = container instanceof MapValue;
  if (!isMap && !(container instanceof ListValue)) throw noSuchOverload();
  const keys = isMap ? container.keys() : container.items.keys();
  for (const key of keys) {
    scope.meter.spend(2);
    const valueAt = (): Value => (isMap ? container.find(key)! : container.at(key as number));
    const [name, second] = variables as [string, string?];
    const index = isMap ? key : BigInt(key as number);
    const first = second === undefined && !isMap ? valueAt() : index;
    const inner = bind(scope, name, first);
    yield { inner: second === undefined ? inner : bind(inner, second, valueAt()), first };
  }
}

function bind(outer: Scope, name: string, value: Value): Scope {
  return { name, value, outer, meter: outer.meter };
}

// An element that fails does not matter when another decides.
function compileQuantifier(parts: Parts, decisive: boolean): Program {
  const [predicate] = parts.programs;
  return (scope) => {
    let failure: EvaluationError | undefined;
    for (const { inner } of elements(parts, scope)) {
      const result = attempt(predicate!, inner);
      if (result === decisive) return decisive;
      if (result instanceof EvaluationError) failure ??= result;
    }
    if (failure) throw failure;
    return !decisive;
  };
}

function compileExistsOne(parts: Parts): Program {
  const [predicate] = parts.programs;
  return (scope) => {
    let count = 0;
    for (const { inner } of elements(parts, scope)) if (test(predicate!, inner)) count++;
    return count === 1;
  };
}

function compileFilter(parts: Parts): Program {
  const [predicate] = parts.programs;
  return (scope) => {
    const kept: Value[] = [];
    for (const { inner, first } of elements(parts, scope)) if (test(predicate!, inner)) kept.push(first);
    return new ListValue(kept);
  };
}

function compileMapping(parts: Parts): Program {
  const [transform, predicate] = [...parts.programs].reverse();
  return (scope) => {
    const made: Value[] = [];
    for (const { inner } of elements(parts, scope))
      if (!predicate || test(predicate, inner)) made.push(transform!(inner));
    return new ListValue(made);
  };
}

type Entries = readonly (readonly [Value, Value])[];

function compileMapTransform(parts: Parts, entries: (key: Value, value: Value) => Entries): Program {
  const [transform, predicate] = [...parts.programs].reverse();
  return (scope) => {
    const made: (readonly [Value, Value])[] = [];
    for (const { inner, first } of elements(parts, scope))
      if (!predicate || test(predicate, inner)) made.push(...entries(first, transform!(inner)));
    const map = new EntryMap(made);
    if (map.size === made.length) return map;
    const twin = made.find(([key], index) => made.slice(0, index).some(([other]) => compare(other, key) === 0));
    throw new EvaluationError(`insert failed: key ${String(twin?.[0])} already exists`);
  };
}

function entriesOf(value: Value): Entries {
  if (!(value instanceof MapValue)) throw noSuchOverload();
  return value.keys().map((key) => [key, value.find(key)!] as const);
}

function compileSortBy(parts: Parts): Program {
  const [key] = parts.programs;
  return (scope) => {
    const items = [...elements(parts, scope)].map(({ inner, first }) => ({ item: first, by: key!(inner) }));
    return new ListValue(items.sort((a, b) => compare(a.by, b.by)).map(({ item }) => item));
  };
}

function compileOptional({ range, programs, variables }: Parts, result: (value: Value) => Value): Program {
  return (scope) => {
    const optional = range(scope);
    if (!(optional instanceof Optional)) throw noSuchOverload();
    if (optional.value === undefined) return Optional.none;
    return result(programs[0]!(bind(scope, variables[0]!, optional.value)));
  };
}
