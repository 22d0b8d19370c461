/**
 * The part of Go's text/template that CoreDNS's template plugin is used with: `{{ .Name }}`, `{{ .Group.a }}`,
 * `{{ index .Match 1 }}`, `{{ parseInt .Group.a 16 8 }}`, `{{ printf "%02x" ... }}`, pipes, and if/else/end with eq, ne,
 * and, or, not. Anything else is refused when the template is read.
 */
export type TemplateValue = string | number | boolean | undefined | readonly TemplateValue[] | TemplateFields;
export interface TemplateFields {
  readonly [name: string]: TemplateValue;
}

/** A template ready to be filled. */
export type Template = (data: TemplateFields) => string;

type Expression = (data: TemplateFields) => TemplateValue;
type Node = (data: TemplateFields) => string;

/** Reads a template; throws SyntaxError for what is not understood. */
export function parseTemplate(text: string): Template {
  const parts = text.split(/(\{\{-?[\s\S]*?-?\}\})/);
  const reader = new TemplateReader(parts);
  const nodes = reader.nodes([]);
  return (data) => nodes.map((node) => node(data)).join('');
}

class TemplateReader {
  readonly #parts: readonly string[];
  #at = 0;
  /** What ended the last list of nodes. */
  #ended = '';

  constructor(parts: readonly string[]) {
    this.#parts = parts;
  }

  nodes(ends: readonly string[]): Node[] {
    const nodes: Node[] = [];
    while (this.#at < this.#parts.length) {
      const part = this.#parts[this.#at++]!;
      if (!part.startsWith('{{')) {
        nodes.push(() => part);
        continue;
      }
      const action = part.slice(2, -2).replace(/^-|-$/g, '').trim();
      const word = action.split(/\s+/)[0]!;
      if (ends.includes(word)) {
        this.#ended = word;
        return nodes;
      }
      if (word === 'if') nodes.push(this.#condition(action.slice(2)));
      else if (['range', 'with', 'define', 'template', 'block', 'else', 'end'].includes(word)) {
        throw new SyntaxError(`{{ ${word} }} is not understood here`);
      } else if (!action.startsWith('/*')) nodes.push(printing(parsePipeline(action)));
    }
    if (ends.length > 0) throw new SyntaxError('{{ if }} without {{ end }}');
    return nodes;
  }

  #condition(test: string): Node {
    const condition = parsePipeline(test);
    const then = this.nodes(['else', 'end']);
    const otherwise = this.#ended === 'else' ? this.nodes(['end']) : [];
    return (data) => (isTrue(condition(data)) ? then : otherwise).map((node) => node(data)).join('');
  }
}

function printing(expression: Expression): Node {
  return (data) => {
    const value = expression(data);
    return value === undefined ? '<no value>' : String(value);
  };
}

function parsePipeline(text: string): Expression {
  const words = splitPipeline(text);
  const commands: string[][] = [[]];
  for (const word of words) {
    if (word === '|') commands.push([]);
    else commands.at(-1)!.push(word);
  }
  return commands.reduce<Expression | undefined>((previous, command) => parseCommand(command, previous), undefined)!;
}

// Words: strings, pipes, parenthesised pipelines, and runs without white space.
function splitPipeline(text: string): readonly string[] {
  const words: string[] = [];
  for (let at = 0; at < text.length; ) {
    const rest = text.slice(at);
    const word = /^\s+/.exec(rest)?.[0] ?? readWord(rest);
    if (word.trim() !== '') words.push(word);
    at += word.length;
  }
  return words;
}

function readWord(text: string): string {
  if (text.startsWith('(')) {
    let depth = 0;
    for (let i = 0; i < text.length; i++) {
      if (text[i] === '(') depth++;
      else if (text[i] === ')' && --depth === 0) return text.slice(0, i + 1);
    }
    throw new SyntaxError('unclosed parenthesis');
  }
  const word = /^(?:"(?:[^"\\]|\\.)*"|`[^`]*`|\||[^\s|()"`]+)/.exec(text)?.[0];
  if (word === undefined) throw new SyntaxError(`unexpected ${text}`);
  return word;
}

function parseCommand(words: readonly string[], piped: Expression | undefined): Expression {
  const [head, ...rest] = words;
  if (head === undefined) throw new SyntaxError('missing value for command');
  const args = [...rest.map(parseOperand), ...(piped === undefined ? [] : [piped])];
  const named = functions[head];
  if (named !== undefined) return (data) => named(args.map((arg) => arg(data)));
  if (args.length > 0) throw new SyntaxError(`function "${head}" not defined`);
  return parseOperand(head);
}

function parseOperand(word: string): Expression {
  if (word.startsWith('(')) return parsePipeline(word.slice(1, -1));
  if (word.startsWith('"')) {
    const text = JSON.parse(word) as string;
    return () => text;
  }
  if (word.startsWith('`')) return () => word.slice(1, -1);
  if (/^[-+]?(0x[0-9a-fA-F]+|\d+)$/.test(word)) return () => Number(word);
  if (word === 'true' || word === 'false') return () => word === 'true';
  if (word === '.') return (data) => data;
  if (/^(\.\w+)+$/.test(word)) {
    const path = word.slice(1).split('.');
    return (data) => path.reduce<TemplateValue>((value, name) => (value as TemplateFields | undefined)?.[name], data);
  }
  throw new SyntaxError(`function "${word}" not defined`);
}

const functions: Readonly<Record<string, (args: readonly TemplateValue[]) => TemplateValue>> = {
  index: ([value, ...keys]) =>
    keys.reduce<TemplateValue>((inner, key) => (inner as TemplateFields | undefined)?.[String(key)], value),
  parseInt: ([text, base]) => {
    const value = Number.parseInt(String(text), Number(base));
    if (Number.isNaN(value)) throw new RangeError(`parsing "${text}": invalid syntax`);
    return value;
  },
  printf: ([format, ...args]) => printFormat(String(format), args),
  print: (args) => args.join(''),
  len: ([value]) =>
    typeof value === 'string' || Array.isArray(value) ? value.length : Object.keys(value ?? {}).length,
  eq: ([first, ...others]) => others.some((other) => other === first),
  ne: ([a, b]) => a !== b,
  lt: ([a, b]) => a! < b!,
  le: ([a, b]) => a! <= b!,
  gt: ([a, b]) => a! > b!,
  ge: ([a, b]) => a! >= b!,
  and: (args) => args.find((arg) => !isTrue(arg)) ?? args.at(-1),
  or: (args) => args.find(isTrue) ?? args.at(-1),
  not: ([value]) => !isTrue(value),
};

function isTrue(value: TemplateValue): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return typeof value === 'object' ? Object.keys(value).length > 0 : Boolean(value);
}

function printFormat(format: string, args: readonly TemplateValue[]): string {
  let next = 0;
  return format.replace(/%(0?)(\d*)([sdvqxX%])/g, (_all, zero, width, verb) => {
    if (verb === '%') return '%';
    const value = args[next++];
    const text =
      verb === 'x'
        ? Number(value).toString(16)
        : verb === 'X'
          ? Number(value).toString(16).toUpperCase()
          : verb === 'q'
            ? JSON.stringify(String(value))
            : String(value);
    return text.padStart(Number(width), zero === '0' ? '0' : ' ');
  });
}
