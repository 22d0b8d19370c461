import type { ObjectKey } from '../../kube/client.ts';
import type { Clock, Random } from '../../kube/clock.ts';
import type { KubeObject, ResourceType } from '../../kube/resources.ts';
import type { Store } from '../../store/store.ts';
import type {
  ApplyJsonPatch,
  ApplyMergePatch,
  ApplyStrategicMergePatch,
  ServerSideApply,
  TrackUpdate,
} from '../patch/contract.ts';
import type { SchemaRegistry } from '../schema/contract.ts';
import type { LeasePool } from './lease-pool.ts';
import type { ListSegments } from './list-segments.ts';
import { listPrefix, objectKey, prefixOf } from './object-keys.ts';
import type { ResourceRegistry } from './resource-registry.ts';
import { storedObject } from './stored-object.ts';
import type { Caller, ObjectReader, StrategyContext } from './strategy.ts';

/** The patches and the bookkeeping of managedFields. */
export interface Patches {
  readonly json: ApplyJsonPatch;
  readonly merge: ApplyMergePatch;
  readonly strategic: ApplyStrategicMergePatch;
  readonly apply: ServerSideApply;
  readonly trackUpdate: TrackUpdate;
}

/** What all verbs work with. */
export interface Machinery {
  readonly store: Store;
  readonly registry: ResourceRegistry;
  readonly schemas: SchemaRegistry;
  readonly patches: Patches;
  readonly clock: Clock;
  readonly random: Random;
  readonly reader: ObjectReader;
  readonly leases: LeasePool;
  readonly segments: ListSegments;
}

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

/** What every request carries, whatever its verb. */
export interface RequestContext {
  readonly caller: Caller;
  /** `fieldManager` of the request, else the User-Agent up to its first slash. */
  readonly manager: string;
  readonly dryRun: boolean;
  readonly fieldValidation: FieldValidation;
  /** Sends a `Warning` header with the answer. */
  readonly warn: (text: string) => void;
  /** Throws Forbidden unless the caller may create too; undefined in process. */
  readonly authorizeCreate?: (() => void) | undefined;
}

/** The context of strategies for one request. */
export function strategyContext(machinery: Machinery, { caller, dryRun, warn }: RequestContext): StrategyContext {
  const { clock, random, reader } = machinery;
  return { clock, random, reader, caller, dryRun, warn };
}

/** RFC 3339 in whole seconds, as Kubernetes writes times. */
export function timestamp(clock: Clock): string {
  return printTime(clock.now());
}

let last = { second: Number.NaN, text: '' };

/** Milliseconds since the epoch as RFC 3339 in whole seconds. */
export function printTime(ms: number): string {
  const second = Math.floor(ms / 1000);
  // Every write has several times, nearly always of the same second.
  if (second !== last.second) last = { second, text: `${new Date(ms).toISOString().slice(0, 19)}Z` };
  return last.text;
}

/** Reads stored objects by type, for admission; types are those of the stored version. */
export function createReader(store: Store): ObjectReader {
  return {
    get<T extends KubeObject>(type: ResourceType<T>, { namespace, name }: ObjectKey): T | undefined {
      const entry = store.get(objectKey(prefixOf(type), type.namespaced ? namespace : undefined, name));
      return entry && (storedObject(entry) as T);
    },
    list<T extends KubeObject>(type: ResourceType<T>, namespace?: string): readonly T[] {
      const { items } = store.range(listPrefix(prefixOf(type), type.namespaced ? namespace : undefined));
      return items.map((entry) => storedObject(entry) as T);
    },
  };
}
