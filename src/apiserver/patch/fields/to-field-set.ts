import type { SchemaNode } from '../../schema/contract.ts';
import { isJsonObject, type JsonObject } from '../json-value.ts';
import { type Atom, atomOf, itemElement } from './atom.ts';
import { type FieldSet, FieldSetBuilder } from './field-set.ts';
import { fieldElement, type PathElement } from './path-element.ts';

/** All fields that a value has, as managedFields names them. */
export function toFieldSet(node: SchemaNode, value: unknown): FieldSet {
  const builder = new FieldSetBuilder();
  visit({ builder, path: [] }, node, value);
  return builder.build();
}

interface Place {
  readonly builder: FieldSetBuilder;
  readonly path: readonly PathElement[];
}

function visit(place: Place, node: SchemaNode, value: unknown): void {
  const atom = atomOf(node, value);
  if (atom.type === 'scalar' || atom.atomic) place.builder.insert(place.path);
  else if (atom.type === 'list') visitList(place, atom, value);
  else if (isJsonObject(value)) visitMap(place, atom, value);
}

function visitList({ builder, path }: Place, atom: Atom & { readonly type: 'list' }, value: unknown): void {
  if (!Array.isArray(value)) return;
  const elements = value.map((item) => itemElement(atom, item));
  const seen = new Map<PathElement, number>();
  for (const element of elements) seen.set(element, (seen.get(element) ?? 0) + 1);
  for (const [index, element] of elements.entries()) {
    const below = [...path, element];
    builder.insert(below);
    // Of items that are there twice only their presence can be owned.
    if (seen.get(element) === 1) visit({ builder, path: below }, atom.element, value[index]);
  }
}

function visitMap({ builder, path }: Place, atom: Atom & { readonly type: 'map' }, value: JsonObject): void {
  for (const [key, inner] of Object.entries(value)) {
    const node = atom.below(key);
    if (node === undefined || inner === undefined) continue;
    const below = [...path, fieldElement(key)];
    visit({ builder, path: below }, node, inner);
    const isEmpty = inner === null || (isJsonObject(inner) && Object.keys(inner).length === 0);
    if (isEmpty || !atom.isField(key)) builder.insert(below);
  }
}
