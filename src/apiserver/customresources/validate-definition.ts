import type {
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionVersion,
  JSONSchemaProps,
} from '../../kube/generated/types.ts';
import { sameValue } from '../machinery/api-object.ts';
import type { FieldCause } from '../schema/contract.ts';
import { patternOf } from '../schema/custom/go-pattern.ts';
import type { StructuralSchema } from '../schema/custom/structural-schema.ts';
import { forbidden, invalid, notSupported, required } from '../validation/field-errors.ts';
import { dns1035Label, dns1123Subdomain } from '../validation/names.ts';
import { APPROVAL_ANNOTATION, approvalOf } from './approve-group.ts';
import { hasCondition } from './conditions.ts';
import { validateStructural } from './validate-structural.ts';

const SCOPES = ['Cluster', 'Namespaced'];
const CONVERSIONS = ['None', 'Webhook'];

/** What is wrong with a CustomResourceDefinition; versions that are stored already (`live`) are not judged again. */
export function validateDefinition(
  definition: CustomResourceDefinition,
  live?: CustomResourceDefinition,
): FieldCause[] {
  const { metadata, spec } = definition;
  const expected = `${spec.names.plural}.${spec.group}`;
  const causes: FieldCause[] = [];
  if (metadata?.name !== expected) {
    causes.push(invalid('metadata.name', metadata?.name ?? '', 'must be spec.names.plural+"."+spec.group'));
  }
  causes.push(...validateGroup(spec.group), ...validateScope(spec.scope));
  // An older release may have taken a rule that this one refuses: it can still be served, annotated and deleted.
  if (live === undefined || !sameValue(spec.versions, live.spec.versions))
    causes.push(...validateVersions(spec.versions));
  causes.push(...validateNames(spec.names), ...validateConversion(definition));
  if (spec.preserveUnknownFields === true) {
    const detail =
      'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead';
    causes.push(invalid('spec.preserveUnknownFields', true, detail));
  }
  return [...causes, ...validateApproval(definition)];
}

/** What an update may not change, and what is wrong with the new version. */
export function validateDefinitionUpdate(
  definition: CustomResourceDefinition,
  live: CustomResourceDefinition,
): FieldCause[] {
  const causes = validateDefinition(definition, live);
  const { spec, status } = definition;
  const immutable = (field: string, value: unknown, before: unknown): void => {
    if (!sameValue(value, before)) causes.push(invalid(field, value, 'field is immutable'));
  };
  immutable('spec.group', spec.group, live.spec.group);
  immutable('spec.names.plural', spec.names.plural, live.spec.names.plural);
  if (hasCondition(live, 'Established')) {
    immutable('spec.scope', spec.scope, live.spec.scope);
    immutable('spec.names.kind', spec.names.kind, live.spec.names.kind);
  }
  const versions = new Set(spec.versions.map(({ name }) => name));
  status?.storedVersions?.forEach((stored, i) => {
    if (versions.has(stored)) return;
    const detail =
      'missing from spec.versions; v1 was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in v1 and removes v1 from status.storedVersions';
    causes.push(invalid(`status.storedVersions[${i}]`, stored, detail.replaceAll('v1', stored)));
  });
  return causes;
}

/** What this server does not do for a definition. */
export function definitionWarnings({ spec }: CustomResourceDefinition): string[] {
  const warnings = spec.versions.flatMap(({ schema }, i) =>
    unknownPatterns(schema?.openAPIV3Schema as StructuralSchema | undefined).map(
      (pattern) => `spec.versions[${i}].schema: the pattern ${JSON.stringify(pattern)} is not checked by this server`,
    ),
  );
  if (spec.conversion?.strategy === 'Webhook')
    warnings.push('spec.conversion: webhooks are not called by this server, versions differ in apiVersion only');
  return warnings;
}

function unknownPatterns(schema: StructuralSchema | undefined): string[] {
  if (!schema) return [];
  const more = typeof schema.additionalProperties === 'object' ? [schema.additionalProperties] : [];
  const logic = [schema.allOf, schema.anyOf, schema.oneOf, schema.not && [schema.not]].flatMap((list) => list ?? []);
  const below = [...Object.values(schema.properties ?? {}), ...(schema.items ? [schema.items] : []), ...more, ...logic];
  const own = schema.pattern !== undefined && !patternOf(schema.pattern) ? [schema.pattern] : [];
  return [...own, ...below.flatMap(unknownPatterns)];
}

function validateGroup(group: string): FieldCause[] {
  if (!group) return [required('spec.group')];
  const messages = dns1123Subdomain(group);
  if (messages.length > 0) return [invalid('spec.group', group, messages.join(','))];
  return group.includes('.') ? [] : [invalid('spec.group', group, 'should be a domain with at least one dot')];
}

function validateScope(scope: string): FieldCause[] {
  if (!scope) return [required('spec.scope')];
  return SCOPES.includes(scope) ? [] : [notSupported('spec.scope', scope, SCOPES)];
}

function validateVersions(versions: readonly CustomResourceDefinitionVersion[]): FieldCause[] {
  const causes = versions.flatMap(({ schema }, i) =>
    schema?.openAPIV3Schema ? [] : [required(`spec.versions[${i}].schema.openAPIV3Schema`)],
  );
  // The real server names one place for a schema that all versions share.
  const shared = versions[0]?.schema?.openAPIV3Schema;
  const isShared = versions.every(({ schema }) => sameValue(schema?.openAPIV3Schema, shared));
  versions.forEach(({ name, schema, deprecated, deprecationWarning }, i) => {
    const path = `spec.versions[${i}]`;
    const messages = dns1035Label(name);
    if (messages.length > 0) causes.push(invalid(`${path}.name`, name, messages.join(',')));
    if (deprecationWarning !== undefined && deprecated !== true) {
      causes.push(invalid(`${path}.deprecationWarning`, deprecationWarning, 'can only be set for deprecated versions'));
    }
    const root: JSONSchemaProps | undefined = schema?.openAPIV3Schema;
    if (root && !isShared) causes.push(...validateStructural(root, `${path}.schema.openAPIV3Schema`));
  });
  if (shared && isShared) causes.push(...validateStructural(shared, 'spec.validation.openAPIV3Schema'));
  const names = versions.map(({ name }) => name);
  if (new Set(names).size !== names.length)
    causes.push(invalid('spec.versions', versions, 'must contain unique version names'));
  if (versions.filter(({ storage }) => storage).length !== 1) {
    causes.push(invalid('spec.versions', versions, 'must have exactly one version marked as storage version'));
  }
  return causes;
}

function validateNames(names: CustomResourceDefinitionNames): FieldCause[] {
  const { plural, singular, kind, listKind, shortNames = [], categories = [] } = names;
  const causes: FieldCause[] = [];
  for (const [field, value] of Object.entries({ plural, singular, kind, listKind })) {
    if (!value) causes.push(required(`spec.names.${field}`));
  }
  const label = (field: string, value: string): void => {
    const messages = dns1035Label(value);
    if (messages.length > 0) causes.push(invalid(`spec.names.${field}`, value, messages.join(',')));
  };
  if (plural) label('plural', plural);
  if (singular) label('singular', singular);
  for (const [field, value] of Object.entries({ kind, listKind })) {
    const messages = value ? dns1035Label(value.toLowerCase()) : [];
    if (messages.length === 0) continue;
    causes.push(
      invalid(`spec.names.${field}`, value, `may have mixed case, but should otherwise match: ${messages.join(',')}`),
    );
  }
  shortNames.forEach((name, i) => void label(`shortNames[${i}]`, name));
  if (kind && kind === listKind)
    causes.push(invalid('spec.names.listKind', listKind, 'kind and listKind may not be the same'));
  categories.forEach((name, i) => void label(`categories[${i}]`, name));
  return causes;
}

function validateConversion({ spec }: CustomResourceDefinition): FieldCause[] {
  const { conversion } = spec;
  const path = 'spec.conversion';
  if (!conversion) return [];
  if (!CONVERSIONS.includes(conversion.strategy))
    return [notSupported(`${path}.strategy`, conversion.strategy, CONVERSIONS)];
  if (conversion.strategy === 'None') {
    return conversion.webhook
      ? [forbidden(`${path}.webhook`, 'should not be set when strategy is not set to Webhook')]
      : [];
  }
  if (!conversion.webhook?.clientConfig)
    return [required(`${path}.webhookClientConfig`, 'required when strategy is set to Webhook')];
  return conversion.webhook.conversionReviewVersions?.length ? [] : [required(`${path}.conversionReviewVersions`)];
}

function validateApproval(definition: CustomResourceDefinition): FieldCause[] {
  const { reason = '', message = '' } = approvalOf(definition) ?? {};
  const path = `metadata.annotations[${APPROVAL_ANNOTATION}]`;
  if (reason === 'MissingAnnotation') return [required(path, message)];
  if (reason !== 'InvalidAnnotation') return [];
  return [invalid(path, definition.metadata?.annotations?.[APPROVAL_ANNOTATION] ?? '', message)];
}
