import type { Call, Comprehension, Entry, Expression, Index, Item, Select } from '../expression.ts';
import { typeNameOf } from '../values.ts';
import {
  BOOL,
  type CelType,
  ERROR,
  fieldType,
  INT,
  isAssignable,
  isOpen,
  isSimple,
  listOf,
  mapOf,
  optionalOf,
  printType,
  simple,
  UNKNOWN,
} from './cel-type.ts';
import { callType, operatorType } from './function-types.ts';

/** The variables that are in sight. */
export type TypeScope = ReadonlyMap<string, CelType>;

/** Something that cannot be evaluated whatever the values are, and its offset in the source. */
export interface TypeProblem {
  readonly at: number;
  readonly text: string;
}

/** The type of an expression that compiles, and what is wrong in it, in the order of the source. */
export function checkTypes(expression: Expression, scope: TypeScope) {
  const checker = new TypeChecker();
  const type = checker.typeOf(expression, scope);
  return { type, problems: checker.problems.toSorted((a, b) => a.at - b.at) as readonly TypeProblem[] };
}

type Of<T extends Expression['type']> = Extract<Expression, { readonly type: T }>;

class TypeChecker {
  readonly problems: TypeProblem[] = [];

  typeOf(expression: Expression, scope: TypeScope): CelType {
    switch (expression.type) {
      case 'literal':
        return expression.value === null ? simple('null') : simple(typeNameOf(expression.value));
      case 'name':
        return scope.get(expression.name) ?? { kind: 'type', of: simple(expression.name) };
      case 'select':
        return this.#select(expression, scope);
      case 'index':
        return this.#index(expression, scope);
      case 'call':
        return this.#call(expression, scope);
      case 'logic':
        for (const side of expression.sides) this.#expectBool(side, scope);
        return BOOL;
      case 'choice':
        return this.#choice(expression, scope);
      case 'list':
        return listOf(this.#joined(expression.items, scope));
      case 'map':
        return this.#map(expression.entries, scope);
      case 'comprehension':
        return this.#comprehension(expression, scope);
    }
  }

  #fail(at: number, text: string): CelType {
    this.problems.push({ at, text });
    return ERROR;
  }

  #noOverload(at: number, name: string, args: readonly CelType[]): CelType {
    return this.#fail(at, `found no matching overload for '${name}' applied to '(${args.map(printType).join(', ')})'`);
  }

  #expectBool(part: Expression, scope: TypeScope): void {
    const type = this.typeOf(part, scope);
    if (!isOpen(type) && !isSimple(type, 'bool'))
      this.#fail(part.at, `expected type 'bool' but found '${printType(type)}'`);
  }

  #select(select: Select, scope: TypeScope): CelType {
    const operand = this.typeOf(select.operand, scope);
    const isOptional = operand.kind === 'optional_type';
    const field = this.#field(isOptional ? operand.of : operand, select);
    if (field.kind === 'error') return ERROR;
    if (select.test) return BOOL;
    return isOptional || select.optional ? optionalOf(field) : field;
  }

  #field(type: CelType, { at, field }: Select): CelType {
    if (isOpen(type)) return type.kind === 'error' ? ERROR : type;
    if (type.kind === 'map') return type.of;
    if (type.kind === 'object') return fieldType(type, field) ?? this.#fail(at, `undefined field '${field}'`);
    return this.#fail(at, `type '${printType(type)}' does not support field selection`);
  }

  #index({ at, operand, index, optional }: Index, scope: TypeScope): CelType {
    const container = this.typeOf(operand, scope);
    const key = this.typeOf(index, scope);
    const isOptional = container.kind === 'optional_type';
    const inner = isOptional ? container.of : container;
    if (isOpen(inner)) return inner.kind === 'error' ? ERROR : UNKNOWN;
    const wanted = inner.kind === 'list' ? INT : inner.kind === 'map' ? inner.key : undefined;
    if (wanted === undefined || !isAssignable(wanted, key))
      return this.#noOverload(at, optional ? '_[?_]' : '_[_]', [container, key]);
    const { of } = inner as { readonly of: CelType };
    return isOptional || optional ? optionalOf(of) : of;
  }

  #call(call: Call, scope: TypeScope): CelType {
    const { at, name, target } = call;
    const space = target?.type === 'name' && !scope.has(target.name) ? target.name : undefined;
    const isMethod = target !== undefined && space === undefined;
    const args = [...(isMethod ? [target] : []), ...call.args].map((arg) =>
      name === 'format' && arg.type === 'list' ? this.#mixed(arg.items, scope) : this.typeOf(arg, scope),
    );
    if (/^_.+_$|^[!-]_$/.test(name))
      return operatorType(name, args) ?? this.#noOverload(at, name === '_in_' ? '@in' : name, args);
    const full = space === undefined ? name : `${space}.${name}`;
    const type = callType(full, isMethod, args);
    if (type) return type;
    if (!isMethod) return this.#noOverload(at, full, args);
    const [self, ...rest] = args.map(printType);
    return this.#fail(at, `found no matching overload for '${name}' applied to '${self}.(${rest.join(', ')})'`);
  }

  #choice({ at, condition, yes, no }: Of<'choice'>, scope: TypeScope): CelType {
    const args = [condition, yes, no].map((part) => this.typeOf(part, scope));
    const [decision, whenTrue, whenFalse] = args as [CelType, CelType, CelType];
    if ((isOpen(decision) || isSimple(decision, 'bool')) && isAssignable(whenTrue, whenFalse))
      return isOpen(whenTrue) ? whenFalse : whenTrue;
    return this.#noOverload(at, '_?_:_', args);
  }

  // What is formatted may be of any types.
  #mixed(items: readonly Item[], scope: TypeScope): CelType {
    for (const { value } of items) this.typeOf(value, scope);
    return listOf(UNKNOWN);
  }

  // Other literals hold one type.
  #joined(items: readonly Item[], scope: TypeScope): CelType {
    let [first, isMixed]: [CelType | undefined, boolean] = [undefined, false];
    for (const { value, optional } of items) {
      const given = this.typeOf(value, scope);
      const type = optional && given.kind === 'optional_type' ? given.of : given;
      if (first !== undefined && !isAlike(first, type)) {
        this.#fail(value.at, `expected type '${printType(first)}' but found '${printType(type)}'`);
        isMixed = true;
      }
      first ??= type;
    }
    return isMixed ? UNKNOWN : (first ?? UNKNOWN);
  }

  #map(entries: readonly Entry[], scope: TypeScope): CelType {
    const keys = entries.map(({ key }) => ({ value: key, optional: false }));
    return mapOf(this.#joined(keys, scope), this.#joined(entries, scope));
  }

  #comprehension(comprehension: Comprehension, scope: TypeScope): CelType {
    const { macro, range, variables, args } = comprehension;
    const container = this.typeOf(range, scope);
    if (container.kind === 'error') return ERROR;
    const [first, second] = this.#variables(comprehension, container);
    const inner = new Map(scope).set(variables[0]!, first);
    if (variables[1] !== undefined) inner.set(variables[1], second);
    if (macro === 'all' || macro === 'exists') {
      this.#expectBool(args[0]!, inner);
      return BOOL;
    }
    const [result = UNKNOWN, condition] = args.map((arg) => this.typeOf(arg, inner)).reverse();
    const results: Readonly<Record<string, CelType>> = {
      exists_one: BOOL,
      existsOne: BOOL,
      filter: listOf(first),
      sortBy: container,
      transformMap: mapOf(first, result),
      transformMapEntry: result,
      optMap: optionalOf(result),
      optFlatMap: result,
    };
    const type = results[macro] ?? listOf(result);
    const test = TESTS.has(macro) ? result : condition;
    if (test !== undefined) this.#expectCondition(comprehension, test, type);
    return type;
  }

  // These macros become a choice between what was gathered so far and more of it.
  #expectCondition({ at }: Comprehension, test: CelType, type: CelType): void {
    if (isOpen(test) || isSimple(test, 'bool')) return;
    const gathered = isSimple(type, 'bool') ? INT : type;
    this.#noOverload(at, '_?_:_', [test, gathered, gathered]);
  }

  #variables({ macro, range, variables }: Comprehension, container: CelType): readonly [CelType, CelType] {
    const isPair = variables.length === 2;
    if (isOpen(container)) return [UNKNOWN, UNKNOWN];
    if (macro === 'optMap' || macro === 'optFlatMap')
      return [container.kind === 'optional_type' ? container.of : UNKNOWN, UNKNOWN];
    if (container.kind === 'list') return isPair ? [INT, container.of] : [container.of, UNKNOWN];
    if (container.kind === 'map') return [container.key, container.of];
    const text = `expression of type '${printType(container)}' cannot be range of a comprehension (must be list, map, or dynamic)`;
    this.#fail(range.at, text);
    return [ERROR, ERROR];
  }
}

const TESTS: ReadonlySet<string> = new Set(['exists_one', 'existsOne', 'filter']);

// Only what this checker does not know is let pass beside what it knows.
function isAlike(a: CelType, b: CelType): boolean {
  if (a.kind === 'unknown' || b.kind === 'unknown' || a.kind === 'error' || b.kind === 'error') return true;
  if (isOpen(a) !== isOpen(b)) return false;
  return isAssignable(a, b);
}
