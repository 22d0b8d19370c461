import { FunctionSet } from './function-table.ts';
import { conversions } from './functions/conversions.ts';
import { formats } from './functions/formats.ts';
import { lists } from './functions/lists.ts';
import { networks } from './functions/networks.ts';
import { optionals } from './functions/optionals.ts';
import { quantities } from './functions/quantities.ts';
import { strings } from './functions/strings.ts';
import { times } from './functions/times.ts';
import { versions } from './functions/versions.ts';
import type { Value } from './values.ts';

/** The functions of the CEL environment that Kubernetes sets up for rules of CRDs. */
const all = new FunctionSet([conversions, strings, lists, times, optionals, quantities, networks, versions, formats]);

/** Whether there is a function, or a method, of that name. */
export function hasFunction(name: string, isMethod: boolean): boolean {
  return all.has(name, isMethod);
}

/** The types that the overloads of a function take, of a method its target's first. */
export function functionParameters(name: string, isMethod: boolean): readonly (readonly string[])[] {
  return all.parameters(name, isMethod);
}

/** Calls a function; of a method the first argument is its target. Throws EvaluationError. */
export function callFunction(name: string, isMethod: boolean, args: readonly Value[]): Value {
  return all.call(name, isMethod, args);
}
