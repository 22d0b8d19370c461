import type { ObjectMeta } from '../../../kube/generated/types.ts';
import { isJsonObject, own } from '../../patch/json-value.ts';
import { invalid, required } from '../../validation/field-errors.ts';
import { dns1035Label } from '../../validation/names.ts';
import { validateObjectMeta } from '../../validation/object-meta.ts';
import { canonicalForm, TypeMismatch } from '../canonical-form.ts';
import type { FieldCause } from '../contract.ts';
import { metadataNode, type StructuralSchema } from './structural-schema.ts';

/** What is wrong with the types and metadata of whole resources that stand inside of an object. */
export function validateEmbedded(schema: StructuralSchema | undefined, value: unknown, path = ''): FieldCause[] {
  if (schema === undefined) return [];
  if (Array.isArray(value))
    return value.flatMap((item, index) => validateEmbedded(schema.items, item, `${path}[${index}]`));
  if (!isJsonObject(value)) return [];
  const causes = schema['x-kubernetes-embedded-resource'] ? validateResource(value, path) : [];
  const more = typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined;
  for (const [key, inner] of Object.entries(value)) {
    const known = own(schema.properties ?? {}, key) as StructuralSchema | undefined;
    if (known) causes.push(...validateEmbedded(known, inner, path === '' ? key : `${path}.${key}`));
    else causes.push(...validateEmbedded(more, inner, `${path}[${key}]`));
  }
  return causes;
}

function validateResource(resource: Readonly<Record<string, unknown>>, path: string): FieldCause[] {
  const { apiVersion, kind, metadata } = resource;
  return [
    ...validateText(`${path}.apiVersion`, apiVersion, (text) =>
      text.split('/').length > 2 ? [`unexpected GroupVersion string: ${text}`] : [],
    ),
    ...validateText(`${path}.kind`, kind, (text) => {
      const messages = dns1035Label(text.toLowerCase());
      return messages.length === 0 ? [] : [`may have mixed case, but should otherwise match: ${messages.join(',')}`];
    }),
    ...(isJsonObject(metadata) ? validateMetadata(metadata, `${path}.metadata`) : []),
  ];
}

function validateText(field: string, value: unknown, rule: (text: string) => readonly string[]): FieldCause[] {
  if (value === undefined) return [required(field)];
  if (typeof value !== 'string') return [invalid(field, value, 'must be a string')];
  if (value === '') return [invalid(field, value, 'must not be empty')];
  return rule(value).map((message) => invalid(field, value, message));
}

function validateMetadata(metadata: Readonly<Record<string, unknown>>, path: string): FieldCause[] {
  const typed = typedMetadata(metadata);
  if (typed instanceof TypeMismatch) return [invalid(path, metadata, 'must be the metadata of an object')];
  const named = typed.name ? typed : { ...typed, name: 'fakename' };
  return [...validateObjectMeta(named, { namespaced: Boolean(typed.namespace), name: () => [] }, path)];
}

function typedMetadata(metadata: unknown): ObjectMeta | TypeMismatch {
  try {
    return canonicalForm(metadataNode(), metadata).value as ObjectMeta;
  } catch (error) {
    if (error instanceof TypeMismatch) return error;
    throw error;
  }
}
