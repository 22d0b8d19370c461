import type { ResourceType } from '../../kube/resources.ts';
import { prefixOf } from '../machinery/object-keys.ts';
import type { ServedResource, StoredKind } from '../machinery/served-resource.ts';
import type { Strategy } from '../machinery/strategy.ts';
import type { KindSchema, ResourceFacts, SchemaRegistry } from '../schema/contract.ts';
import { plainColumns } from '../tables/core-columns.ts';
import { defineStrategy, specStatusUpdate, statusUpdate } from './define-strategy.ts';
import type { KindRow } from './kind-table.ts';

const NOT_STORED = new Set(['/bindings', '/componentstatuses']);

/** The resources of the published API that have storage of their own: all stable versions. */
export function buildResources(schemas: SchemaRegistry, rows: Readonly<Record<string, KindRow>>): ServedResource[] {
  const facts = schemas.resources().filter(({ version }) => /^v\d+$/.test(version));
  const subresources = new Map<string, Map<string, ResourceFacts>>();
  for (const fact of facts) {
    if (fact.subresource === undefined) continue;
    const key = keyOf(fact);
    const list = subresources.get(key) ?? new Map<string, ResourceFacts>();
    subresources.set(key, list.set(fact.subresource, fact));
  }
  const stored = new Map<string, StoredKind>();
  const main = facts.filter((fact) => fact.subresource === undefined && isStored(fact));
  for (const fact of main) {
    const row = rowOf(rows, fact);
    if (row.storedAs) continue;
    stored.set(keyOf(fact), storedKind(schemas, fact, row, subresources.get(keyOf(fact))?.has('status') ?? false));
  }
  return main.map((fact) => {
    const row = rowOf(rows, fact);
    const { storedAs } = row;
    return servedResource(fact, row, {
      stored: stored.get(storedAs ? keyOf({ ...fact, ...storedAs }) : keyOf(fact))!,
      schema: schemas.kind(fact.kind)!,
      subresources: subresources.get(keyOf(fact)) ?? new Map<string, ResourceFacts>(),
    });
  });
}

const keyOf = ({ group, version, resource }: Pick<ResourceFacts, 'group' | 'version' | 'resource'>): string =>
  `${group}/${version}/${resource}`;

// Reviews and the like answer a POST and store nothing.
function isStored({ group, resource, verbs }: ResourceFacts): boolean {
  return verbs.includes('get') && !NOT_STORED.has(`${group}/${resource}`);
}

function rowOf(rows: Readonly<Record<string, KindRow>>, fact: ResourceFacts): KindRow {
  return rows[keyOf(fact)] ?? rows[`${fact.group}/${fact.resource}`] ?? {};
}

const typeOf = ({ group, version, resource, kind, namespaced }: ResourceFacts): ResourceType => ({
  group,
  version,
  resource,
  kind: kind.kind,
  namespaced,
});

function storedKind(schemas: SchemaRegistry, fact: ResourceFacts, row: KindRow, hasStatus: boolean): StoredKind {
  const type = typeOf(fact);
  const strategy = row.strategy ?? plainStrategy(hasStatus);
  return { prefix: prefixOf(type), type, schema: schemas.kind(fact.kind)!, strategy };
}

function plainStrategy(hasStatus: boolean): Strategy {
  return hasStatus
    ? defineStrategy({ generation: true, update: specStatusUpdate(), subresources: { status: statusUpdate() } })
    : defineStrategy();
}

interface Parts {
  readonly stored: StoredKind;
  readonly schema: KindSchema;
  readonly subresources: ReadonlyMap<string, ResourceFacts>;
}

function servedResource(fact: ResourceFacts, row: KindRow, { stored, schema, subresources }: Parts): ServedResource {
  return {
    type: typeOf(fact),
    stored,
    schema,
    singular: fact.kind.kind.toLowerCase(),
    shortNames: row.shortNames ?? [],
    categories: row.categories ?? [],
    verbs: fact.verbs,
    subresources,
    columns: row.columns ?? plainColumns,
    conversion: row.storedAs?.conversion,
  };
}
