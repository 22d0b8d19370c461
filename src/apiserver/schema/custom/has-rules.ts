import type { StructuralSchema } from './structural-schema.ts';

const known = new WeakMap<StructuralSchema, boolean>();

/** Whether a schema, or one below it, has rules in CEL. */
export function hasRules(schema: StructuralSchema): boolean {
  const found = known.get(schema) ?? lookForRules(schema);
  known.set(schema, found);
  return found;
}

function lookForRules(schema: StructuralSchema): boolean {
  if (schema['x-kubernetes-validations']?.length) return true;
  const more = typeof schema.additionalProperties === 'object' ? [schema.additionalProperties] : [];
  const below = [...Object.values(schema.properties ?? {}), ...(schema.items ? [schema.items] : []), ...more];
  return [...below, ...(schema.allOf ?? [])].some(hasRules);
}
