import type { Call, Comprehension, Entry, Expression, Item } from './expression.ts';
import { SourceProblem } from './rule-problem.ts';
import { type Token, tokenize } from './tokens.ts';

const MAX_DEPTH = 250;

/** Macros that bind variables: how many, and how many expressions follow them. */
const macros: Readonly<Record<string, readonly (readonly [variables: number, expressions: number])[]>> = {
  all: [
    [1, 1],
    [2, 1],
  ],
  exists: [
    [1, 1],
    [2, 1],
  ],
  exists_one: [[1, 1]],
  existsOne: [
    [1, 1],
    [2, 1],
  ],
  filter: [[1, 1]],
  map: [
    [1, 1],
    [1, 2],
  ],
  sortBy: [[1, 1]],
  transformList: [
    [2, 1],
    [2, 2],
  ],
  transformMap: [
    [2, 1],
    [2, 2],
  ],
  transformMapEntry: [
    [2, 1],
    [2, 2],
  ],
  optMap: [[1, 1]],
  optFlatMap: [[1, 1]],
};

const reserved: ReadonlySet<string> = new Set(
  'as break const continue else for function if import let loop package namespace return var void while'.split(' '),
);

const binary: readonly (readonly string[])[] = [
  ['==', '!=', '<', '<=', '>', '>=', 'in'],
  ['+', '-'],
  ['*', '/', '%'],
];

/** Parses a CEL expression. Throws SourceProblem. */
export function parseExpression(source: string): Expression {
  return new Parser(source).parse();
}

class Parser {
  readonly #source: string;
  readonly #tokens: readonly Token[];
  #position = 0;
  #depth = 0;

  constructor(source: string) {
    this.#source = source;
    this.#tokens = tokenize(source);
  }

  parse(): Expression {
    const expression = this.#expression();
    if (this.#token.type !== 'end') throw this.#unexpected(['<EOF>']);
    return expression;
  }

  get #token(): Token {
    return this.#tokens[this.#position]!;
  }

  #is(text: string): boolean {
    return this.#token.text === text && this.#token.type !== 'literal';
  }

  #skip(text: string): boolean {
    const found = this.#is(text);
    if (found) this.#position++;
    return found;
  }

  #expect(text: string): void {
    if (!this.#skip(text)) throw this.#unexpected([`'${text}'`]);
  }

  #unexpected(expected: readonly string[]): SourceProblem {
    const { at, text } = this.#token;
    const wanted = expected.length === 1 ? expected[0] : `{${expected.join(', ')}}`;
    return new SourceProblem(this.#source, at, `Syntax error: mismatched input '${text}' expecting ${wanted}`);
  }

  #expression(): Expression {
    if (++this.#depth > MAX_DEPTH)
      throw new SourceProblem(this.#source, 0, `expression recursion limit exceeded: ${MAX_DEPTH}`);
    const condition = this.#logic('||');
    const { at } = this.#token;
    let result = condition;
    if (this.#skip('?')) {
      const yes = this.#logic('||');
      this.#expect(':');
      result = { type: 'choice', at, condition, yes, no: this.#expression() };
    }
    this.#depth--;
    return result;
  }

  #logic(operator: '&&' | '||'): Expression {
    const side = (): Expression => (operator === '||' ? this.#logic('&&') : this.#binary(0));
    let left = side();
    for (let { at } = this.#token; this.#skip(operator); { at } = this.#token)
      left = { type: 'logic', at, operator, sides: [left, side()] };
    return left;
  }

  #binary(level: number): Expression {
    const operators = binary[level];
    if (!operators) return this.#unary();
    let left = this.#binary(level + 1);
    for (;;) {
      const { at, text, type } = this.#token;
      if (type === 'literal' || !operators.includes(text)) return left;
      this.#position++;
      left = { type: 'call', at, name: `_${text}_`, target: undefined, args: [left, this.#binary(level + 1)] };
    }
  }

  #unary(): Expression {
    const { at, text } = this.#token;
    if (text !== '!' && text !== '-') return this.#member();
    let times = 0;
    while (this.#skip(text)) times++;
    // A sign that stands before a number belongs to it.
    const number = text === '-' ? this.#negativeNumber(at) : undefined;
    if (number) times--;
    const operand = number ? this.#suffixes(number) : this.#member();
    return times % 2 === 1 ? { type: 'call', at, name: `${text}_`, target: undefined, args: [operand] } : operand;
  }

  #negativeNumber(at: number): Expression | undefined {
    const { value, type } = this.#token;
    if (type !== 'literal' || (typeof value !== 'bigint' && typeof value !== 'number')) return undefined;
    this.#position++;
    return { type: 'literal', at, value: -value };
  }

  #member(): Expression {
    return this.#suffixes(this.#primary());
  }

  #suffixes(primary: Expression): Expression {
    let operand = primary;
    for (;;) {
      const { at } = this.#token;
      if (this.#skip('.')) operand = this.#afterDot(operand, at);
      else if (this.#skip('[')) {
        const optional = this.#skip('?');
        operand = { type: 'index', at, operand, index: this.#expression(), optional };
        this.#expect(']');
      } else return operand;
    }
  }

  #afterDot(operand: Expression, at: number): Expression {
    const optional = this.#skip('?');
    const { text } = this.#token;
    if (this.#token.type !== 'name') throw this.#unexpected(['IDENTIFIER']);
    this.#position++;
    const open = this.#token.at;
    if (optional || !this.#skip('(')) return { type: 'select', at, operand, field: text, optional, test: false };
    const args = this.#arguments(')');
    return this.#macro(operand, { type: 'call', at: open, name: text, target: operand, args });
  }

  #macro(range: Expression, call: Call): Expression {
    const forms = Object.hasOwn(macros, call.name) ? macros[call.name]! : [];
    const form = forms.find(([variables, expressions]) => variables + expressions === call.args.length);
    if (!form) return call;
    const variables = call.args.slice(0, form[0]).map((variable) => {
      if (variable.type === 'name') return variable.name;
      throw new SourceProblem(this.#source, variable.at, 'argument must be a simple name');
    });
    const { name: macro, at } = call;
    return {
      type: 'comprehension',
      at,
      macro,
      range,
      variables,
      args: call.args.slice(form[0]),
    } satisfies Comprehension;
  }

  #primary(): Expression {
    const { type, at, text, value } = this.#token;
    if (type === 'literal') {
      this.#position++;
      if (typeof value === 'bigint' && value >= 2n ** 63n)
        throw new SourceProblem(this.#source, at, 'invalid int literal');
      return { type: 'literal', at, value: value! };
    }
    if (this.#skip('(')) {
      const inner = this.#expression();
      this.#expect(')');
      return inner;
    }
    if (this.#skip('[')) return { type: 'list', at, items: this.#list(']', () => this.#item()) };
    if (this.#skip('{')) return { type: 'map', at, entries: this.#list('}', () => this.#entry()) };
    this.#skip('.');
    if (this.#token.type !== 'name' || text === 'in') throw this.#unexpected(expectedPrimaries);
    return this.#nameOrCall();
  }

  #nameOrCall(): Expression {
    const { at, text } = this.#token;
    this.#position++;
    const open = this.#token.at;
    if (!this.#skip('(')) {
      if (reserved.has(text)) throw new SourceProblem(this.#source, at, `reserved identifier: ${text}`);
      return { type: 'name', at, name: text };
    }
    const args = this.#arguments(')');
    if (text !== 'has' || args.length !== 1) return { type: 'call', at: open, name: text, target: undefined, args };
    const [field] = args;
    if (field?.type !== 'select' || field.optional)
      throw new SourceProblem(this.#source, field?.at ?? at, 'invalid argument to has() macro');
    return { ...field, at: open, test: true };
  }

  #arguments(close: string): Expression[] {
    const args: Expression[] = [];
    if (this.#skip(close)) return args;
    do args.push(this.#expression());
    while (this.#skip(','));
    this.#expect(close);
    return args;
  }

  #list<T>(close: string, element: () => T): T[] {
    const elements: T[] = [];
    while (!this.#skip(close)) {
      elements.push(element());
      if (this.#skip(',')) continue;
      this.#expect(close);
      break;
    }
    return elements;
  }

  #item(): Item {
    const optional = this.#skip('?');
    return { optional, value: this.#expression() };
  }

  #entry(): Entry {
    const optional = this.#skip('?');
    const key = this.#expression();
    this.#expect(':');
    return { optional, key, value: this.#expression() };
  }
}

const expectedPrimaries =
  "'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER".split(
    ', ',
  );
