import type { KubeClient, ListOptions, Watch, WatchEvent } from './client.ts';
import type { Clock } from './clock.ts';
import { type KubeObject, keyOf, type ResourceType } from './resources.ts';

/** Told after the cache holds the new state. `previous` is undefined for an addition, `current` for a removal. */
export type ObjectChange<T extends KubeObject> = (change: {
  readonly key: string;
  readonly previous: T | undefined;
  readonly current: T | undefined;
}) => void;

const RETRY_MS = [50, 100, 200, 400, 800, 1600, 3200, 5000] as const;

/**
 * A local copy of one kind, kept by list and watch, as client-go's shared informer: handlers see every change in order,
 * a lost or expired watch is taken up again and what was missed shows up as changes.
 */
export class Informer<T extends KubeObject> implements Disposable {
  readonly type: ResourceType<T>;
  readonly #client: KubeClient;
  readonly #clock: Clock;
  readonly #options: ListOptions;
  readonly #objects = new Map<string, T>();
  readonly #handlers: ObjectChange<T>[] = [];
  readonly #synced = Promise.withResolvers<void>();
  #watch: Watch | undefined;
  #retry: Disposable | undefined;
  #failures = 0;
  #closed = false;
  #started = false;
  #version = 0;
  hasSynced = false;

  constructor(client: KubeClient, clock: Clock, type: ResourceType<T>, options: ListOptions = {}) {
    this.#client = client;
    this.#clock = clock;
    this.type = type;
    this.#options = options;
  }

  /** Adds a handler; objects already in the cache are told to it at once. */
  onChange(handler: ObjectChange<T>): this {
    this.#handlers.push(handler);
    for (const [key, current] of this.#objects) handler({ key, previous: undefined, current });
    return this;
  }

  /** Starts listing; resolves when the first list is in the cache and told to the handlers. */
  start(): Promise<void> {
    if (!this.#started) {
      this.#started = true;
      void this.#list();
    }
    return this.#synced.promise;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  /** All cached objects, in no promised order. */
  list(): T[] {
    return [...this.#objects.values()];
  }

  get size(): number {
    return this.#objects.size;
  }

  /** The highest resourceVersion seen: every write of this kind up to it is in the cache (versions rise over all kinds). */
  get resourceVersion(): number {
    return this.#version;
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#retry?.[Symbol.dispose]();
    this.#watch?.close();
  }

  async #list(): Promise<void> {
    if (this.#closed) return;
    try {
      const { items, resourceVersion } = await this.#client.list(this.type, this.#options);
      if (this.#closed) return;
      this.#version = Math.max(this.#version, Number(resourceVersion) || 0);
      this.#replace(items);
      this.#failures = 0;
      this.#startWatch(resourceVersion);
      if (!this.hasSynced) {
        this.hasSynced = true;
        this.#synced.resolve();
      }
    } catch {
      // The server is away or not ready: client-go retries for ever with backoff, and so do we.
      this.#listLater();
    }
  }

  #listLater(): void {
    if (this.#closed) return;
    const delay = RETRY_MS[Math.min(this.#failures++, RETRY_MS.length - 1)] ?? 5000;
    this.#retry = this.#clock.schedule(delay, () => void this.#list());
  }

  #startWatch(resourceVersion: string): void {
    let last = resourceVersion;
    const onEvent = (event: WatchEvent<T>): void => {
      last = event.object.metadata?.resourceVersion ?? last;
      this.#version = Math.max(this.#version, Number(last) || 0);
      if (event.type === 'ADDED' || event.type === 'MODIFIED') this.#set(keyOf(event.object), event.object);
      else if (event.type === 'DELETED') this.#set(keyOf(event.object), undefined);
      else if (event.type === 'ERROR') this.#relist();
    };
    const onEnd = (cause?: unknown): void => {
      if (this.#closed || this.#watch === undefined) return;
      this.#watch = undefined;
      if (cause === undefined) this.#startWatch(last);
      else this.#listLater();
    };
    this.#watch = this.#client.watch(this.type, { ...this.#options, resourceVersion }, onEvent, onEnd);
  }

  #relist(): void {
    const watch = this.#watch;
    this.#watch = undefined;
    watch?.close();
    this.#listLater();
  }

  #replace(items: readonly T[]): void {
    const seen = new Set<string>();
    for (const item of items) {
      const key = keyOf(item);
      seen.add(key);
      const version = this.#objects.get(key)?.metadata?.resourceVersion;
      if (version === undefined || version !== item.metadata?.resourceVersion) this.#set(key, item);
    }
    for (const key of [...this.#objects.keys()]) if (!seen.has(key)) this.#set(key, undefined);
  }

  #set(key: string, current: T | undefined): void {
    const previous = this.#objects.get(key);
    if (current === undefined) {
      if (previous === undefined) return;
      this.#objects.delete(key);
    } else this.#objects.set(key, current);
    for (const handler of this.#handlers) handler({ key, previous, current });
  }
}
