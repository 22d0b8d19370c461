import type { ObjectKey } from '../../kube/client.ts';
import type { Clock, Random } from '../../kube/clock.ts';
import type { KubeObject, ResourceType } from '../../kube/resources.ts';
import type { ServiceClaim } from '../../kube/service-allocator.ts';
import type { FieldCause } from '../schema/contract.ts';
import type { TextRule } from '../validation/names.ts';
import type { ApiObject } from './api-object.ts';

/** Who asks. */
export interface Caller {
  readonly name: string;
  readonly uid?: string | undefined;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>> | undefined;
}

/** Other objects as admission needs them: what reads show now, without waiting. */
export interface ObjectReader {
  get<T extends KubeObject>(type: ResourceType<T>, key: ObjectKey): T | undefined;
  list<T extends KubeObject>(type: ResourceType<T>, namespace?: string): readonly T[];
}

/** What a strategy may know beside the object. */
export interface StrategyContext {
  readonly caller: Caller;
  readonly clock: Clock;
  readonly random: Random;
  readonly reader: ObjectReader;
  readonly dryRun: boolean;
  /** Sends a `Warning` header with the answer. */
  readonly warn: (text: string) => void;
}

/** How an update through the resource itself or one subresource becomes the object that is stored. */
export interface UpdateStrategy<T extends ApiObject = ApiObject> {
  /** Puts back what this path may not change; generation and other metadata of the server are already those of `live`. */
  readonly prepare: (object: T, live: T, context: StrategyContext) => T;
  readonly validate?: (object: T, live: T, context: StrategyContext) => readonly FieldCause[];
  readonly warnings?: (object: T, live: T) => readonly string[];
}

/** What is particular to a kind; everything else is the same for all. Built-in and custom kinds fill in the same form. */
export interface Strategy<T extends ApiObject = ApiObject> {
  readonly name: TextRule;
  /** Loads what writing the kind needs, for kinds that most clusters never write. */
  readonly load?: () => Promise<unknown>;
  /** Sets what a new object starts with and drops what its creator may not set; status is already gone. */
  readonly create?: (object: T, context: StrategyContext) => T;
  readonly validate?: (object: T, context: StrategyContext) => readonly FieldCause[];
  readonly warnings?: (object: T) => readonly string[];
  readonly update: UpdateStrategy<T>;
  /** Updates through subresources that share the object: status, finalize, approval, ephemeralcontainers, resize. */
  readonly subresources: Readonly<Record<string, UpdateStrategy<T>>>;
  /** A creation may bring a status (nodes). */
  readonly keepsStatusOnCreate?: boolean;
  /** New objects have generation 1. */
  readonly generation: boolean;
  /** PUT on a name that does not exist creates it. */
  readonly createOnUpdate: boolean;
  /** An update without a resourceVersion overwrites. */
  readonly unconditionalUpdate: boolean;
  /** Seconds of grace for a delete, when the kind is deleted gracefully (pods). */
  readonly gracePeriod?: (object: T, requested: number | undefined) => number;
  /** Deleting returns the object, not a Status. */
  readonly returnsDeleted: boolean;
  /** False for kinds whose delete options cannot orphan or wait for dependents. */
  readonly garbageCollection: boolean;
  /** Fields that a fieldSelector may name beside metadata.name and metadata.namespace. */
  readonly selectableFields?: Readonly<Record<string, (object: T) => string>>;
  /** Addresses and ports that the object holds alone. */
  readonly claims?: (object: T) => readonly ServiceClaim[];
  /** Seconds until the object deletes itself (events). */
  readonly ttlSeconds?: number;
  /** May say that an update has finished a deletion although finalizers of the kind itself are elsewhere (namespaces). */
  readonly holdsDeletion?: (object: T) => boolean;
  /** Turns a plain delete into a change of the object (namespaces). Undefined: delete. */
  readonly beforeDelete?: (object: T, context: StrategyContext) => T | undefined;
}
