import type { SchemaNode } from '../../schema/contract.ts';
import { goQuote } from '../../schema/go-text.ts';
import { isJsonObject, type JsonObject } from '../json-value.ts';
import { type Atom, atomOf, itemElement, KeyProblem } from './atom.ts';
import { fieldElement, type PathElement, printElement } from './path-element.ts';

interface Problem {
  readonly path: string;
  readonly text: string;
}

/** Why a value is none of its schema, in upstream's words; undefined when it is. `allowTwins`: list items may share their keys. */
export function typedProblem(node: SchemaNode, value: unknown, allowTwins: boolean): string | undefined {
  const problems = check({ node, allowTwins }, value);
  const lines = problems.map(({ path, text }) => (path === '' ? text : `${path}: ${text}`));
  if (lines.length <= 1) return lines[0];
  return `errors:\n${lines.map((line) => `  ${line}`).join('\n')}`;
}

interface Place {
  readonly node: SchemaNode;
  readonly allowTwins: boolean;
}

function check(place: Place, value: unknown): Problem[] {
  const atom = atomOf(place.node, value);
  if (value === null || value === undefined) return [];
  if (atom.type === 'scalar') return scalarProblem(place.node, value);
  if (atom.type === 'list')
    return Array.isArray(value) ? checkItems(atom, place, value) : problem(`expected list, got ${goValue(value)}`);
  return isJsonObject(value) ? checkFields(atom, place, value) : problem(`expected map, got ${goValue(value)}`);
}

const problem = (text: string): Problem[] => [{ path: '', text }];

function below(element: PathElement, problems: readonly Problem[]): Problem[] {
  return problems.map(({ path, text }) => ({ path: printElement(element) + path, text }));
}

function checkItems(atom: Atom & { readonly type: 'list' }, place: Place, items: readonly unknown[]): Problem[] {
  const problems: Problem[] = [];
  const seen = new Set<PathElement>();
  const associative = !atom.atomic;
  for (const [index, item] of items.entries()) {
    let element: PathElement = `i:${index}`;
    try {
      if (associative) element = itemElement(atom, item);
    } catch (error) {
      if (error instanceof KeyProblem) return [...problems, ...problem(`element ${index}: ${error.message}`)];
      throw error;
    }
    if (associative && seen.has(element) && !place.allowTwins)
      problems.push(...problem(`duplicate entries for key ${printElement(element)}`));
    seen.add(element);
    problems.push(...below(element, check({ ...place, node: atom.element }, item)));
  }
  return problems;
}

function checkFields(atom: Atom & { readonly type: 'map' }, place: Place, value: JsonObject): Problem[] {
  const problems: Problem[] = [];
  for (const [key, inner] of Object.entries(value)) {
    const node = atom.below(key);
    const element = fieldElement(key);
    if (node === undefined) return [...problems, ...below(element, problem('field not declared in schema'))];
    problems.push(...below(element, check({ ...place, node }, inner)));
  }
  return problems;
}

function scalarProblem(node: SchemaNode, value: unknown): Problem[] {
  switch (node.type) {
    case 'string':
    case 'bytes':
      return typeof value === 'string' ? [] : problem(`expected string, got ${goSyntax(value)}`);
    case 'boolean':
      return typeof value === 'boolean' ? [] : problem(`expected boolean, got ${goValue(value)}`);
    case 'int32':
    case 'int64':
    case 'float64':
      return typeof value === 'number' ? [] : problem(`expected numeric (int or float), got ${goType(value)}`);
    default:
      return typeof value === 'object' ? problem(`expected any scalar, got ${goValue(value)}`) : [];
  }
}

function goType(value: unknown): string {
  if (typeof value === 'string') return 'string';
  if (typeof value === 'boolean') return 'bool';
  return Array.isArray(value) ? '[]interface {}' : 'map[string]interface {}';
}

const goValue = (value: unknown): string => `&{${printed(value)}}`;

/** As Go prints an interface by %v. */
function printed(value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(printed).join(' ')}]`;
  if (!isJsonObject(value)) return String(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `map[${entries.map(([key, inner]) => `${key}:${printed(inner)}`).join(' ')}]`;
}

const goSyntax = (value: unknown): string => `&value.valueUnstructured{Value:${syntax(value)}}`;

/** As Go prints an interface by %#v. */
function syntax(value: unknown): string {
  if (value === null || value === undefined) return 'interface {}(nil)';
  if (typeof value === 'string') return goQuote(value);
  if (Array.isArray(value)) return `[]interface {}{${value.map(syntax).join(', ')}}`;
  if (!isJsonObject(value)) return String(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `map[string]interface {}{${entries.map(([key, inner]) => `${goQuote(key)}:${syntax(inner)}`).join(', ')}}`;
}
