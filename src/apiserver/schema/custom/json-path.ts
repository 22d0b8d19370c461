/** A step of a JSONPath: a name, an index, all, or a filter on a field of list items. */
type Step =
  | { readonly type: 'name'; readonly name: string }
  | { readonly type: 'index'; readonly index: number }
  | { readonly type: 'all' }
  | { readonly type: 'filter'; readonly path: readonly Step[]; readonly operator: string; readonly value: unknown };

/** A JSONPath of the kind that printer columns and selectable fields use: `.spec.ports[0].name`, `.a[?(@.type=="x")].b`. */
export interface JsonPath {
  /** All values that it leads to; none where something on the way is missing. */
  find(object: unknown): readonly unknown[];
}

/** Parses a path. Throws an Error when it is none. */
export function parseJsonPath(text: string): JsonPath {
  const steps = new Parser(text).parse();
  return { find: (object) => follow([object], steps) };
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Step[] {
    const steps: Step[] = [];
    if (this.#text[0] === '$' || this.#text[0] === '@') this.#at = 1;
    while (this.#at < this.#text.length) {
      if (this.#text[this.#at] === '.') {
        this.#at++;
        const step = this.#afterDot();
        if (step) steps.push(step);
      } else if (this.#text[this.#at] === '[') steps.push(this.#bracket());
      else throw this.#problem();
    }
    return steps;
  }

  #afterDot(): Step | undefined {
    if (this.#text[this.#at] === '[') return undefined;
    if (this.#text[this.#at] === '*') {
      this.#at++;
      return { type: 'all' };
    }
    const match = /^(?:\\.|[^.[\]\\])+/.exec(this.#text.slice(this.#at));
    if (!match) throw this.#problem();
    this.#at += match[0].length;
    return { type: 'name', name: match[0].replace(/\\(.)/g, '$1') };
  }

  #bracket(): Step {
    const match = /^\[(?:(\*)|(-?[0-9]+)|'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|\?\((.*?)\))\]/.exec(
      this.#text.slice(this.#at),
    );
    if (!match) throw this.#problem();
    this.#at += match[0].length;
    const [, all, index, single, double, filter] = match;
    if (all) return { type: 'all' };
    if (index !== undefined) return { type: 'index', index: Number(index) };
    if (filter !== undefined) return parseFilter(filter);
    return { type: 'name', name: (single ?? double ?? '').replace(/\\(.)/g, '$1') };
  }

  #problem(): Error {
    return new Error(`unrecognized JSONPath ${JSON.stringify(this.#text)}`);
  }
}

function parseFilter(text: string): Step {
  const match = /^\s*(@[^=!<>\s]*)\s*(?:(==|!=|<=|>=|<|>)\s*(.+?)\s*)?$/.exec(text);
  if (!match) throw new Error(`unrecognized filter ${JSON.stringify(text)}`);
  const [, path = '', operator = 'exists', operand = 'null'] = match;
  return { type: 'filter', path: new Parser(path).parse(), operator, value: literal(operand) };
}

function literal(text: string): unknown {
  const quoted = /^'(.*)'$/.exec(text) ?? /^"(.*)"$/.exec(text);
  if (quoted) return quoted[1];
  if (text === 'true' || text === 'false') return text === 'true';
  const number = Number(text);
  if (Number.isNaN(number)) throw new Error(`unrecognized operand ${JSON.stringify(text)}`);
  return text === 'null' ? null : number;
}

function follow(values: readonly unknown[], steps: readonly Step[]): readonly unknown[] {
  return steps.reduce<readonly unknown[]>((found, step) => found.flatMap((value) => take(value, step)), values);
}

function take(value: unknown, step: Step): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  if (step.type === 'name')
    return Object.hasOwn(value, step.name) ? [(value as Record<string, unknown>)[step.name]] : [];
  if (step.type === 'all') return Object.values(value);
  if (!Array.isArray(value)) return [];
  if (step.type === 'index')
    return value.length > 0 && value.at(step.index) !== undefined ? [value.at(step.index)] : [];
  return value.filter((item) => holds(follow([item], step.path), step));
}

function holds(found: readonly unknown[], { operator, value }: Step & { readonly type: 'filter' }): boolean {
  const [left] = found;
  if (operator === 'exists' || found.length === 0) return operator === 'exists' && found.length > 0;
  if (operator === '==') return left === value;
  if (operator === '!=') return left !== value;
  if (typeof left !== typeof value) return false;
  const [a, b] = [left as number, value as number];
  return operator === '<' ? a < b : operator === '<=' ? a <= b : operator === '>' ? a > b : a >= b;
}
