import type { GroupVersionKind, ServedGroupVersion } from '../schema/contract.ts';
import { type StructNode, structNode } from '../schema/published-nodes.ts';
import { tables } from '../schema/tables.ts';
import { customDefinitions } from './custom-definitions.ts';
import { pathsOf } from './operations.ts';
import { type Schema, structSchema, valueSchema } from './struct-schema.ts';

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.';

/** Builds the OpenAPI v3 document of a group version: the paths of what is served and all schemas that they lead to. */
export function buildDocument(served: ServedGroupVersion): Schema {
  const custom = customDefinitions(served);
  const definitionOf = ({ group, version, kind }: GroupVersionKind): string | undefined =>
    custom.names.get(kind) ?? publishedStruct(`${group}/${version}/${kind}`)?.row.name;
  const owners = new Map(
    served.resources.filter((facts) => !facts.subresource).map(({ resource, kind }) => [resource, kind.kind]),
  );
  const paths = Object.assign(
    {},
    ...served.resources.map((facts) => pathsOf(facts, owners.get(facts.resource) ?? facts.kind.kind, definitionOf)),
  );
  const roots = [...publishedRoots(served), ...metaRoots()];
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'unversioned' },
    paths: sortedByKey(paths),
    components: { schemas: { ...closure(roots), ...custom.schemas } },
  };
}

function publishedStruct(key: string): StructNode | undefined {
  return Object.hasOwn(tables.kinds, key) ? structNode(tables.kinds[key]!) : undefined;
}

// Kinds at the paths, their lists, and whatever else the group version publishes (reviews, options, bindings).
function publishedRoots({ group, version, resources }: ServedGroupVersion): StructNode[] {
  const keys = new Set<string>();
  for (const { kind } of resources)
    for (const name of [kind.kind, `${kind.kind}List`]) keys.add(`${kind.group}/${kind.version}/${name}`);
  const own = Object.keys(tables.kinds).filter((key) => key.startsWith(`${group}/${version}/`));
  return [...keys, ...own].map(publishedStruct).filter((struct) => struct !== undefined);
}

function metaRoots(): (StructNode | string)[] {
  const structs = ['Status', 'DeleteOptions', 'WatchEvent', 'ObjectMeta', 'ListMeta'].map((name) =>
    structNode(tables.structs.findIndex((row) => row.name === `${meta}${name}`)),
  );
  return [...structs, `${meta}Patch`];
}

function closure(roots: readonly (StructNode | string)[]): Readonly<Record<string, Schema>> {
  const schemas: Record<string, Schema> = {};
  const waiting = [...roots];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const name = typeof next === 'string' ? next : next.row.name;
    if (schemas[name] !== undefined) continue;
    schemas[name] = typeof next === 'string' ? valueSchema(next) : structSchema(next, (found) => waiting.push(found));
  }
  return sortedByKey(schemas);
}

function sortedByKey<T>(record: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}
