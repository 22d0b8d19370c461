import { type FieldRequirement, parseFieldSelector } from '../../kube/field-selector.ts';
import { type LabelRequirement, matchesRequirements, parseLabelSelector } from '../../kube/label-selector.ts';
import type { KubeObject } from '../../kube/resources.ts';
import { badRequest } from './errors.ts';
import type { ServedResource } from './served-resource.ts';

/** What a list or watch is about. */
export interface Selection {
  readonly resource: ServedResource;
  /** Undefined means all namespaces, or a cluster-scoped kind. */
  readonly namespace: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

/** The selectors of a Selection, parsed. */
export interface Matcher {
  /** True when nothing is filtered. */
  readonly all: boolean;
  /** The only name that can match, when the field selector says so. */
  readonly name: string | undefined;
  /** The namespace that a field selector asks for. */
  readonly namespace: string | undefined;
  /** Judges an object in its stored version. */
  matches(object: KubeObject): boolean;
}

type FieldReader = (object: KubeObject) => string;

const metadataFields: Readonly<Record<string, FieldReader>> = {
  'metadata.name': (object) => object.metadata?.name ?? '',
  'metadata.namespace': (object) => object.metadata?.namespace ?? '',
};

/** Parses the selectors; throws ApiStatusError BadRequest for a malformed one or a field that cannot be selected by. */
export function buildMatcher({ resource, labelSelector, fieldSelector }: Selection): Matcher {
  const labels = labelSelector ? parseLabelSelector(labelSelector) : [];
  const fields = fieldSelector ? parseFieldSelector(fieldSelector) : [];
  const readers = fields.map(({ field }) => fieldReader(resource, field));
  return {
    all: labels.length === 0 && fields.length === 0,
    name: wanted(fields, 'metadata.name'),
    namespace: wanted(fields, 'metadata.namespace'),
    matches: (object) => matchesLabels(labels, object) && matchesFields(fields, readers, object),
  };
}

function wanted(fields: readonly FieldRequirement[], name: string): string | undefined {
  return fields.find(({ field, operator }) => field === name && operator === '=')?.value;
}

function matchesLabels(requirements: readonly LabelRequirement[], object: KubeObject): boolean {
  return requirements.length === 0 || matchesRequirements(requirements, object.metadata?.labels);
}

function matchesFields(
  fields: readonly FieldRequirement[],
  readers: readonly FieldReader[],
  object: KubeObject,
): boolean {
  for (let i = 0; i < fields.length; i++) {
    const { operator, value } = fields[i]!;
    if ((readers[i]!(object) === value) !== (operator === '=')) return false;
  }
  return true;
}

function fieldReader({ stored, type }: ServedResource, field: string): FieldReader {
  const special = stored.strategy.selectableFields;
  const renamed = type.group === 'events.k8s.io' ? eventField(field) : field;
  const reader = metadataFields[renamed] ?? (special?.[renamed] as FieldReader | undefined);
  if (reader) return reader;
  if (special) throw badRequest(`field label not supported: ${field}`);
  throw badRequest(
    `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`,
  );
}

// events.k8s.io/v1 names the same fields otherwise.
function eventField(field: string): string {
  if (field.startsWith('regarding.')) return field.replace('regarding.', 'involvedObject.');
  return field === 'reportingController' ? 'reportingComponent' : field;
}
