import { decodeObject } from '../protobuf/decode-object.ts';
import { cannotBeHandled } from './body-errors.ts';
import type { GroupVersionKind, KindSchema, ResourceFacts, SchemaRegistry } from './contract.ts';
import { applyDefaults } from './defaults/apply-defaults.ts';
import { PublishedKind, type PublishedKindSurroundings } from './published-kind.ts';
import { structNode } from './published-nodes.ts';
import { type ResourceRow, tables } from './tables.ts';

/** The schemas of the published API, and of the custom kinds that are added. */
export class SchemaCatalog implements SchemaRegistry {
  readonly #kinds = new Map<string, KindSchema>();
  readonly #surroundings: PublishedKindSurroundings = {
    find: (kind) => this.kind(kind),
    decodeProtobuf: (kind, body) => decodeObject(body, kind, structOf),
    applyDefaults,
  };
  #resources: readonly ResourceFacts[] | undefined;

  kind(groupVersionKind: GroupVersionKind): KindSchema | undefined {
    const key = keyOf(groupVersionKind);
    const known = this.#kinds.get(key);
    if (known !== undefined || !Object.hasOwn(tables.kinds, key)) return known;
    const schema = new PublishedKind(groupVersionKind, structNode(tables.kinds[key]!), this.#surroundings);
    this.#kinds.set(key, schema);
    return schema;
  }

  /** Adds or replaces a custom kind. */
  add(schema: KindSchema): void {
    this.#kinds.set(keyOf(schema), schema);
  }

  /** Forgets a custom kind. */
  remove(groupVersionKind: GroupVersionKind): void {
    this.#kinds.delete(keyOf(groupVersionKind));
  }

  resources(): readonly ResourceFacts[] {
    this.#resources ??= tables.resources.map(resourceFacts);
    return this.#resources;
  }

  strictError(kind: GroupVersionKind, fieldErrors: readonly string[]) {
    return cannotBeHandled(kind, kind, `strict decoding error: ${fieldErrors.join(', ')}`);
  }
}

function structOf(apiVersion: string, kind: string) {
  const key = `${apiVersion.includes('/') ? '' : '/'}${apiVersion}/${kind}`;
  return Object.hasOwn(tables.kinds, key) ? structNode(tables.kinds[key]!) : undefined;
}

const keyOf = ({ group, version, kind }: GroupVersionKind): string => `${group}/${version}/${kind}`;

function resourceFacts([group, version, resource, subresource, namespaced, kind, verbs]: ResourceRow): ResourceFacts {
  const [kindGroup = '', kindVersion = '', kindName = ''] = kind.split('/');
  return {
    group,
    version,
    resource,
    subresource: subresource === '' ? undefined : subresource,
    namespaced: namespaced === 1,
    kind: { group: kindGroup, version: kindVersion, kind: kindName },
    verbs: verbs.split(' '),
  };
}
