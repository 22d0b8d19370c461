import type { JSONSchemaProps } from '../../kube/generated/types.ts';
import type { FieldCause } from '../schema/contract.ts';
import type { StructuralSchema } from '../schema/custom/structural-schema.ts';
import { forbidden, invalid, required } from '../validation/field-errors.ts';
import { validateDefault } from './validate-default.ts';
import { validateExtensions } from './validate-extensions.ts';
import { validateRuleTexts } from './validate-rule-texts.ts';

type Schema = JSONSchemaProps & Readonly<Record<`x-kubernetes-${string}`, unknown>>;

interface Place {
  readonly path: string;
  readonly isRoot?: boolean;
  readonly isItem?: boolean;
  /** The list or map above whose items cannot be told from those before an update. */
  readonly uncorrelatable?: string | undefined;
}

/** What keeps a schema from being structural: types must be given everywhere, logic only constrains. */
export function validateStructural(root: JSONSchemaProps, path: string): FieldCause[] {
  const causes: FieldCause[] = [];
  const { type } = root;
  if (!type) causes.push(required(`${path}.type`, 'must not be empty at the root'));
  else if (type !== 'object') causes.push(invalid(`${path}.type`, type, 'must be object at the root'));
  return [...causes, ...validateNode(root as Schema, { path, isRoot: true })];
}

function validateNode(schema: Schema, { path, isRoot = false, isItem = false, uncorrelatable }: Place): FieldCause[] {
  const causes: FieldCause[] = [];
  const { properties, additionalProperties, items } = schema;
  const untyped =
    schema['x-kubernetes-int-or-string'] === true || schema['x-kubernetes-preserve-unknown-fields'] === true;
  if (!isRoot && !schema.type && !untyped) {
    const what = isItem ? 'array items' : 'object fields';
    causes.push(required(`${path}.type`, `must not be empty for specified ${what}`));
  }
  if (schema.type === 'array' && !items) causes.push(required(`${path}.items`, 'must be specified'));
  causes.push(
    ...validateExtensions(schema as StructuralSchema, path),
    ...validateDefault(schema as StructuralSchema, path),
  );
  if (properties && additionalProperties !== undefined) {
    causes.push(forbidden(`${path}.additionalProperties`, 'additionalProperties and properties are mutual exclusive'));
  }
  if (schema.uniqueItems === true) {
    causes.push(
      forbidden(
        `${path}.uniqueItems`,
        'uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
      ),
    );
  }
  if (schema.$ref) causes.push(forbidden(`${path}.$ref`, '$ref is not supported'));
  for (const [name, inner] of Object.entries(properties ?? {})) {
    if (isRoot && name === 'metadata') continue;
    causes.push(...validateNode(inner as Schema, { path: `${path}.properties[${name}]`, uncorrelatable }));
  }
  if (typeof additionalProperties === 'object' && additionalProperties !== null) {
    causes.push(
      ...validateNode(additionalProperties as Schema, { path: `${path}.additionalProperties`, uncorrelatable }),
    );
  }
  if (Array.isArray(items)) causes.push(forbidden(`${path}.items`, 'items must be a schema object and not an array'));
  else if (items && typeof items === 'object') {
    const within = schema['x-kubernetes-list-type'] === 'map' ? uncorrelatable : (uncorrelatable ?? path);
    causes.push(...validateNode(items as Schema, { path: `${path}.items`, isItem: true, uncorrelatable: within }));
  }
  return [
    ...causes,
    ...validateLogic(schema, path),
    ...validateRuleTexts(schema as StructuralSchema, { path, isRoot, uncorrelatable }),
  ];
}

// Below allOf, anyOf, oneOf and not nothing may be declared that is not declared outside of them.
function validateLogic(schema: Schema, path: string): FieldCause[] {
  const causes: FieldCause[] = [];
  const check = (inner: JSONSchemaProps, at: string): void => {
    const { type, default: value, additionalProperties, nullable } = inner;
    const pattern = schema['x-kubernetes-int-or-string'] === true;
    if (type && !pattern) causes.push(forbidden(`${at}.type`, 'must be empty to be structural'));
    if (value !== undefined) causes.push(forbidden(`${at}.default`, 'must be undefined to be structural'));
    if (additionalProperties !== undefined)
      causes.push(forbidden(`${at}.additionalProperties`, 'must be undefined to be structural'));
    if (nullable) causes.push(forbidden(`${at}.nullable`, 'must be false to be structural'));
  };
  for (const name of ['allOf', 'anyOf', 'oneOf'] as const) {
    (schema[name] ?? []).forEach((inner, i) => void check(inner, `${path}.${name}[${i}]`));
  }
  if (schema.not) check(schema.not, `${path}.not`);
  return causes;
}
