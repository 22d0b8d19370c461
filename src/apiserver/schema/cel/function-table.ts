import { noSuchOverload, typeNameOf, type Value } from './values.ts';

/** Functions by signature: `<string>.contains(string)` for a method, `size(list)` for a function; `any` takes every type. */
export type FunctionTable = Readonly<Record<string, (...args: never[]) => Value>>;

interface Overload {
  readonly types: readonly string[];
  readonly run: (...args: readonly Value[]) => Value;
}

/** Finds functions by name and the types of their arguments. */
export class FunctionSet {
  readonly #overloads = new Map<string, Overload[]>();

  constructor(tables: readonly FunctionTable[]) {
    for (const table of tables)
      for (const [signature, run] of Object.entries(table)) this.#add(signature, run as Overload['run']);
  }

  /** Whether there is a function, or a method, of that name. */
  has(name: string, isMethod: boolean): boolean {
    return this.#overloads.has(keyOf(name, isMethod));
  }

  /** The types that its overloads take, of a method its target's first. */
  parameters(name: string, isMethod: boolean): readonly (readonly string[])[] {
    return (this.#overloads.get(keyOf(name, isMethod)) ?? []).map(({ types }) => types);
  }

  /** Calls it; of a method the first argument is its target. Throws EvaluationError. */
  call(name: string, isMethod: boolean, args: readonly Value[]): Value {
    const types = args.map(typeNameOf);
    const overload = this.#overloads
      .get(keyOf(name, isMethod))
      ?.find(
        (candidate) =>
          candidate.types.length === types.length &&
          candidate.types.every((type, i) => type === 'any' || type === types[i]),
      );
    if (!overload) throw noSuchOverload();
    return overload.run(...args);
  }

  #add(signature: string, run: Overload['run']): void {
    const [, target, name = '', list = ''] = /^(?:<(.+)>\.)?([\w.]+)\((.*)\)$/.exec(signature)!;
    const args = list === '' ? [] : list.split(', ');
    const key = keyOf(name, target !== undefined);
    const overload = { types: target === undefined ? args : [target, ...args], run };
    const known = this.#overloads.get(key);
    if (known) known.push(overload);
    else this.#overloads.set(key, [overload]);
  }
}

const keyOf = (name: string, isMethod: boolean): string => (isMethod ? `.${name}` : name);
