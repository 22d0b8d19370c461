import type { CustomResourceDefinition, CustomResourceDefinitionVersion } from '../../kube/generated/types.ts';
import type { KubeObject, ResourceType } from '../../kube/resources.ts';
import { contentUpdate, defineStrategy, keepStatus, raiseGeneration } from '../kinds/define-strategy.ts';
import { resetMetadataStatus } from '../kinds/other-kinds.ts';
import { type ApiObject, sameValue } from '../machinery/api-object.ts';
import { forbiddenError } from '../machinery/errors.ts';
import { prefixOf } from '../machinery/object-keys.ts';
import type { Conversion, ServedResource, StoredKind } from '../machinery/served-resource.ts';
import type { Strategy } from '../machinery/strategy.ts';
import type { ResourceFacts } from '../schema/contract.ts';
import { CustomKind } from '../schema/custom/custom-kind.ts';
import { parseJsonPath } from '../schema/custom/json-path.ts';
import { customColumns, type PrinterColumn } from '../schema/custom/printer-columns.ts';
import type { StructuralSchema } from '../schema/custom/structural-schema.ts';
import type { ScalePaths } from '../subresources/scale.ts';
import { age } from '../tables/human-duration.ts';
import type { TableColumns } from '../tables/table-columns.ts';
import { storageVersion } from './definition-strategy.ts';

const VERBS = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'];

/** A resource that a definition serves, and where its Scale finds its numbers. */
export interface CustomResource extends ServedResource {
  readonly scale: ScalePaths | undefined;
}

/** Every served version of an established definition. */
export function buildCustomResources(definition: CustomResourceDefinition): CustomResource[] {
  const storage = storageVersion(definition);
  if (!storage) return [];
  const schemas = new Map(definition.spec.versions.map((version) => [version.name, schemaOf(definition, version)]));
  const type = typeOf(definition, storage);
  const stored: StoredKind = {
    prefix: prefixOf(type),
    type,
    schema: schemas.get(storage.name)!,
    strategy: strategyOf(definition),
  };
  return definition.spec.versions
    .filter(({ served }) => served)
    .map((version) => servedVersion(definition, version, stored, schemas.get(version.name)!));
}

function schemaOf(
  { spec }: CustomResourceDefinition,
  { name, schema, subresources }: CustomResourceDefinitionVersion,
): CustomKind {
  return new CustomKind({
    group: spec.group,
    version: name,
    kind: spec.names.kind,
    schema: schema?.openAPIV3Schema as StructuralSchema | undefined,
    hasStatus: subresources?.status !== undefined,
    preserveUnknownFields: spec.preserveUnknownFields === true,
  });
}

function typeOf({ spec }: CustomResourceDefinition, { name }: CustomResourceDefinitionVersion): ResourceType {
  const { group, names, scope } = spec;
  return { group, version: name, resource: names.plural, kind: names.kind, namespaced: scope === 'Namespaced' };
}

function servedVersion(
  definition: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
  stored: StoredKind,
  schema: CustomKind,
): CustomResource {
  const { names } = definition.spec;
  const type = typeOf(definition, version);
  const { scale } = version.subresources ?? {};
  const deprecation = deprecationOf(definition, version);
  return {
    type,
    stored,
    schema,
    singular: names.singular ?? names.kind.toLowerCase(),
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    verbs: VERBS,
    subresources: subresourcesOf(type, version),
    columns: columnsOf(version),
    conversion: isServedAsStored(definition, version) ? undefined : convertVersion(type, stored.type, schema),
    openApi: version.schema?.openAPIV3Schema,
    ...(deprecation === undefined ? {} : { deprecation }),
    scale: scale && {
      specReplicas: pathOf(scale.specReplicasPath),
      statusReplicas: pathOf(scale.statusReplicasPath),
      ...(scale.labelSelectorPath ? { labelSelector: pathOf(scale.labelSelectorPath) } : {}),
    },
  };
}

const pathOf = (text: string): readonly string[] => text.split('.').filter((name) => name !== '');

function subresourcesOf(
  type: ResourceType,
  { subresources }: CustomResourceDefinitionVersion,
): ReadonlyMap<string, ResourceFacts> {
  const { group, version, resource, kind, namespaced } = type;
  const facts = (subresource: string, of: ResourceFacts['kind']): readonly [string, ResourceFacts] => [
    subresource,
    { group, version, resource, subresource, namespaced, kind: of, verbs: ['get', 'patch', 'update'] },
  ];
  return new Map([
    ...(subresources?.status ? [facts('status', { group, version, kind })] : []),
    ...(subresources?.scale ? [facts('scale', { group: 'autoscaling', version: 'v1', kind: 'Scale' })] : []),
  ]);
}

// What was stored by an older schema is pruned, and defaults that came later or belong to a dropped status are filled in.
function isServedAsStored({ metadata }: CustomResourceDefinition, version: CustomResourceDefinitionVersion): boolean {
  const schema = version.schema?.openAPIV3Schema as StructuralSchema | undefined;
  return version.storage && (metadata?.generation ?? 1) === 1 && !(schema && hasDefaults(schema));
}

function hasDefaults(schema: StructuralSchema): boolean {
  if (schema.default !== undefined) return true;
  const more = typeof schema.additionalProperties === 'object' ? [schema.additionalProperties] : [];
  return [...Object.values(schema.properties ?? {}), ...(schema.items ? [schema.items] : []), ...more].some(
    hasDefaults,
  );
}

// Versions without a conversion webhook differ in nothing but their name and what their schemas make of the object.
function convertVersion(served: ResourceType, stored: ResourceType, schema: CustomKind): Conversion {
  const rename = (type: ResourceType, object: KubeObject) => ({
    ...object,
    apiVersion: `${type.group}/${type.version}`,
  });
  return {
    toStored: (object) => rename(stored, object),
    fromStored: (object) => schema.applyDefaults(schema.prune(rename(served, object))),
  };
}

function strategyOf({ metadata, spec }: CustomResourceDefinition): Strategy {
  const hasStatus = spec.versions.some(({ subresources }) => subresources?.status !== undefined);
  const fields = spec.versions.flatMap(({ selectableFields = [] }) => selectableFields);
  return defineStrategy({
    generation: true,
    ...(metadata?.deletionTimestamp === undefined ? {} : { create: refuseCreation(spec) }),
    unconditionalUpdate: false,
    update: hasStatus ? { prepare: withoutStatusChange } : contentUpdate(),
    subresources: hasStatus ? { status: resetMetadataStatus } : {},
    ...(fields.length > 0
      ? { selectableFields: Object.fromEntries(fields.map(({ jsonPath }) => selectable(jsonPath))) }
      : {}),
  });
}

// What is being removed with its definition gets no company.
function refuseCreation({ group, names }: CustomResourceDefinition['spec']): (object: ApiObject) => ApiObject {
  const type = { group, resource: names.plural };
  return ({ metadata }) => {
    throw forbiddenError(
      type,
      metadata?.name ?? '',
      'create not allowed while custom resource definition is terminating',
    );
  };
}

function withoutStatusChange(object: ApiObject, live: ApiObject): ApiObject {
  const kept = keepStatus(object, live);
  return raiseGeneration(kept, live, !sameValue({ ...kept, metadata: undefined }, { ...live, metadata: undefined }));
}

function selectable(jsonPath: string): readonly [string, (object: ApiObject) => string] {
  const path = parseJsonPath(jsonPath);
  const text = (object: ApiObject): string => {
    const [value] = path.find(object);
    return value === undefined || value === null ? '' : String(value);
  };
  return [jsonPath.replace(/^\./, ''), text];
}

function columnsOf({ additionalPrinterColumns }: CustomResourceDefinitionVersion): TableColumns {
  const custom = customColumns(additionalPrinterColumns as readonly PrinterColumn[] | undefined);
  const name = { name: 'Name', type: 'string', format: 'name', description: '', priority: 0 } as const;
  return {
    columns: [name, ...custom.map(({ cell: _cell, type, ...column }) => ({ ...column, type: type as 'string' }))],
    cells: (object, now) => [
      object.metadata?.name,
      ...custom.map(({ type, cell }) => {
        const value = cell(object);
        return type === 'date' && typeof value === 'string' ? age(value, now) : (value ?? '');
      }),
    ],
  };
}

function deprecationOf(
  { spec }: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
): string | undefined {
  if (version.deprecated !== true) return undefined;
  if (version.deprecationWarning !== undefined) return version.deprecationWarning;
  const text = `${spec.group}/${version.name} ${spec.names.kind} is deprecated`;
  const newer = spec.versions.find(({ served, deprecated }) => served && deprecated !== true);
  return newer ? `${text}; use ${spec.group}/${newer.name} ${spec.names.kind}` : text;
}
