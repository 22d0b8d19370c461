import type { SchemaNode } from '../../schema/contract.ts';
import { type Atom, atomOf } from './atom.ts';
import { FieldSet, FieldSetBuilder } from './field-set.ts';
import { fieldName, type PathElement } from './path-element.ts';

/** The set with the paths of one step added for each field of the schema that longer paths go through, all the way down. */
export function withNamedFields(node: SchemaNode, fields: FieldSet): FieldSet {
  const atom = schemaAtom(node);
  return fields.withMembers(
    (element) => atom.type === 'map' && atom.isField(fieldName(element) ?? ''),
    (element, below) => {
      const next = nodeBelow(atom, element);
      return next === undefined ? below : withNamedFields(next, below);
    },
  );
}

/** The set as it must look when lists and maps that it owns parts of have become atomic in a newer schema. */
export function adaptToSchema(node: SchemaNode, fields: FieldSet): FieldSet {
  const atomic = new FieldSetBuilder();
  findAtomic({ atomic, path: [], isWhole: false }, node, fields);
  const roots = atomic.build();
  return roots.isEmpty ? fields : fields.recursiveDifference(roots).union(roots);
}

interface Place {
  readonly atomic: FieldSetBuilder;
  readonly path: readonly PathElement[];
  /** The set has this very path and nothing below it. */
  readonly isWhole: boolean;
}

function findAtomic({ atomic, path, isWhole }: Place, node: SchemaNode, fields: FieldSet): void {
  if (node.type === 'any') return;
  const atom = schemaAtom(node);
  if (atom.type === 'scalar') return;
  if (atom.atomic) {
    if (!isWhole && !fields.isEmpty) atomic.insert(path);
    return;
  }
  for (const element of fields.elements()) {
    const next = nodeBelow(atom, element);
    if (next === undefined) continue;
    const below = fields.below(element);
    const whole = fields.hasMember(element) && below === FieldSet.empty;
    findAtomic({ atomic, path: [...path, element], isWhole: whole }, next, below);
  }
}

// What the schema alone says; a value that is not there leaves an untyped place a map.
const schemaAtom = (node: SchemaNode): Atom => atomOf(node, undefined);

function nodeBelow(atom: Atom, element: PathElement): SchemaNode | undefined {
  if (atom.type === 'list') return atom.element;
  const name = fieldName(element);
  return atom.type === 'map' && name !== undefined ? atom.below(name) : undefined;
}
