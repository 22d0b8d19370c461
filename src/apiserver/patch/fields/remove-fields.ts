import { setOwn } from '../../schema/canonical-form.ts';
import type { SchemaNode } from '../../schema/contract.ts';
import { isJsonObject, type JsonObject } from '../json-value.ts';
import { type Atom, atomOf, itemElement } from './atom.ts';
import type { FieldSet } from './field-set.ts';
import { fieldElement } from './path-element.ts';

/** The value without these fields; null where nothing is left of it. */
export function removeFields(node: SchemaNode, value: unknown, fields: FieldSet): unknown {
  const atom = atomOf(node, value);
  if (atom.type === 'scalar') return value;
  if (atom.type === 'list') return removeItems(atom, value, fields);
  if (!isJsonObject(value) || Object.keys(value).length === 0 || atom.atomic) return null;
  return removeKeys(atom, value, fields);
}

function removeItems(atom: Atom & { readonly type: 'list' }, value: unknown, fields: FieldSet): unknown {
  if (!Array.isArray(value) || value.length === 0 || atom.atomic) return null;
  const kept: unknown[] = [];
  for (const item of value) {
    const element = itemElement(atom, item);
    if (fields.hasMember(element)) continue;
    const below = fields.below(element);
    kept.push(below.isEmpty ? item : removeFields(atom.element, item, below));
  }
  return kept.length > 0 ? kept : null;
}

function removeKeys(atom: Atom & { readonly type: 'map' }, value: JsonObject, fields: FieldSet): unknown {
  const kept: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(value)) {
    const element = fieldElement(key);
    if (fields.hasMember(element)) continue;
    const [below, node] = [fields.below(element), atom.below(key)];
    setOwn(kept, key, below.isEmpty || node === undefined ? inner : removeFields(node, inner, below));
  }
  return Object.keys(kept).length > 0 ? kept : null;
}
