import type { Value } from './values.ts';

/** A parsed CEL expression; `at` is the offset in its source that messages point at. */
export type Expression =
  | { readonly type: 'literal'; readonly at: number; readonly value: Value }
  | { readonly type: 'name'; readonly at: number; readonly name: string }
  | Select
  | Index
  | Call
  | {
      readonly type: 'logic';
      readonly at: number;
      readonly operator: '&&' | '||';
      readonly sides: readonly [Expression, Expression];
    }
  | {
      readonly type: 'choice';
      readonly at: number;
      readonly condition: Expression;
      readonly yes: Expression;
      readonly no: Expression;
    }
  | { readonly type: 'list'; readonly at: number; readonly items: readonly Item[] }
  | { readonly type: 'map'; readonly at: number; readonly entries: readonly Entry[] }
  | Comprehension;

/** `operand.field`, `operand.?field`, and `has(operand.field)`, which only tests. */
export interface Select {
  readonly type: 'select';
  readonly at: number;
  readonly operand: Expression;
  readonly field: string;
  readonly optional: boolean;
  readonly test: boolean;
}

/** `operand[index]` and `operand[?index]`. */
export interface Index {
  readonly type: 'index';
  readonly at: number;
  readonly operand: Expression;
  readonly index: Expression;
  readonly optional: boolean;
}

/** A function call, with a target when it is called as a method; operators are called `_+_`, `!_`, `-_`. */
export interface Call {
  readonly type: 'call';
  readonly at: number;
  readonly name: string;
  readonly target: Expression | undefined;
  readonly args: readonly Expression[];
}

/** `range.all(x, predicate)` and the other macros that bind variables. */
export interface Comprehension {
  readonly type: 'comprehension';
  readonly at: number;
  readonly macro: string;
  readonly range: Expression;
  readonly variables: readonly string[];
  readonly args: readonly Expression[];
}

/** An element of a list literal; optional ones (`?x`) are left out when they hold nothing. */
export interface Item {
  readonly value: Expression;
  readonly optional: boolean;
}

/** An entry of a map literal. */
export interface Entry extends Item {
  readonly key: Expression;
}
