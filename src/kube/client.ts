import type { KubeObject, ResourceType } from './resources.ts';

/** What a watch tells: a Kubernetes watch event. ERROR carries a Status object; BOOKMARK only a resourceVersion. */
export interface WatchEvent<T extends KubeObject = KubeObject> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: T;
}

export interface ListOptions {
  /** Undefined means all namespaces. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

export interface WatchOptions extends ListOptions {
  /** Start after this version; a version that was compacted away ends the watch with an ERROR event (410 Expired). */
  readonly resourceVersion: string;
}

export interface ObjectKey {
  readonly namespace?: string | undefined;
  readonly name: string;
}

export interface WriteOptions {
  readonly fieldManager?: string | undefined;
  /** For example 'status', 'scale', 'binding', 'ephemeralcontainers'. */
  readonly subresource?: string | undefined;
  readonly dryRun?: boolean | undefined;
}

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number | undefined;
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan' | undefined;
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

/** A running watch; closing it twice is fine. */
export interface Watch extends Disposable {
  close(): void;
}

/**
 * The Kubernetes API as towtank's own parts use it: the same verbs and errors (ApiStatusError) in process and over HTTP.
 * Objects that come out are shared and must not be changed; build a new one with a spread.
 */
export interface KubeClient {
  /** Rejects with ApiStatusError NotFound (404). */
  get<T extends KubeObject>(type: ResourceType<T>, key: ObjectKey): Promise<T>;
  /** `resourceVersion` is the version of the whole snapshot: a watch from it misses nothing. */
  list<T extends KubeObject>(
    type: ResourceType<T>,
    options?: ListOptions,
  ): Promise<{ readonly items: readonly T[]; readonly resourceVersion: string }>;
  /** Events arrive in order; `onEnd` is called once when the watch ends other than by `close`, with the cause if there is one. */
  watch<T extends KubeObject>(
    type: ResourceType<T>,
    options: WatchOptions,
    onEvent: (event: WatchEvent<T>) => void,
    onEnd: (cause?: unknown) => void,
  ): Watch;
  create<T extends KubeObject>(type: ResourceType<T>, object: T, options?: WriteOptions): Promise<T>;
  /** A stale metadata.resourceVersion rejects with Conflict (409); without one the write is unconditional. */
  update<T extends KubeObject>(type: ResourceType<T>, object: T, options?: WriteOptions): Promise<T>;
  patch<T extends KubeObject>(
    type: ResourceType<T>,
    key: ObjectKey,
    patch: { readonly type: PatchType; readonly body: unknown; readonly force?: boolean },
    options?: WriteOptions,
  ): Promise<T>;
  delete(type: ResourceType, key: ObjectKey, options?: DeleteOptions): Promise<void>;
}
