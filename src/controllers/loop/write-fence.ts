import { type KubeObject, keyOf } from '../../kube/resources.ts';

/** The part of an Informer that the fence looks at. */
interface Cache {
  readonly resourceVersion: number;
  get(key: string): KubeObject | undefined;
}

/**
 * Remembers what a controller wrote for a key until its informers have seen it, so that it never decides on a cache that is
 * older than its own writes (client-go's expectations). What was written comes back as an event, which queues the key again.
 */
export class WriteFence {
  readonly #awaited = new Map<string, (() => boolean)[]>();

  /** After a creation or update: waits for the version that the server answered. */
  expectWritten(key: string, informer: Cache, written: KubeObject): void {
    const version = Number(written.metadata?.resourceVersion) || 0;
    this.#expect(key, () => informer.resourceVersion >= version);
  }

  /** After a deletion: waits until the object is gone, is another one of the same name, or is marked as being deleted. */
  expectDeleted(key: string, informer: Cache, deleted: KubeObject): void {
    this.#expect(key, () => {
      const cached = informer.get(keyOf(deleted));
      return cached?.metadata?.uid !== deleted.metadata?.uid || cached?.metadata?.deletionTimestamp !== undefined;
    });
  }

  /** True when everything written for the key has come back. */
  isClear(key: string): boolean {
    const open = this.#awaited.get(key)?.filter((isSeen) => !isSeen()) ?? [];
    if (open.length > 0) this.#awaited.set(key, open);
    else this.#awaited.delete(key);
    return open.length === 0;
  }

  forget(key: string): void {
    this.#awaited.delete(key);
  }

  #expect(key: string, isSeen: () => boolean): void {
    const list = this.#awaited.get(key);
    if (list === undefined) this.#awaited.set(key, [isSeen]);
    else list.push(isSeen);
  }
}
