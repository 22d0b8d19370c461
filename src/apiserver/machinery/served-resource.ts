import type { KubeObject, ResourceType } from '../../kube/resources.ts';
import type { KindSchema, ResourceFacts } from '../schema/contract.ts';
import type { TableColumns } from '../tables/table-columns.ts';
import type { Strategy } from './strategy.ts';

/** A kind as it is stored: one for all the versions and groups under which it is served. */
export interface StoredKind {
  /** `/registry/apps/deployments/`. */
  readonly prefix: string;
  /** The version that is written. */
  readonly type: ResourceType;
  readonly schema: KindSchema;
  readonly strategy: Strategy;
}

/** Between a served version and the stored one; both directions keep everything that the other version can say. */
export interface Conversion {
  toStored(object: KubeObject): KubeObject;
  fromStored(object: KubeObject): KubeObject;
}

/** One resource under one group and version, built-in or custom. */
export interface ServedResource {
  readonly type: ResourceType;
  readonly stored: StoredKind;
  readonly schema: KindSchema;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly string[];
  readonly subresources: ReadonlyMap<string, ResourceFacts>;
  readonly columns: TableColumns;
  /** Undefined when this is the stored version. */
  readonly conversion: Conversion | undefined;
  /** The published schema of a custom kind; undefined for built-in ones. */
  readonly openApi?: unknown;
  /** Texts of `Warning` headers on every request, for a deprecated version. */
  readonly deprecation?: string | undefined;
}
