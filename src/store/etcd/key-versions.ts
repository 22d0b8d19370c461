import type { KeyValue, StoreEvent, WriteOperation } from '../store.ts';
import type { StoreView } from '../store-view.ts';
import type { EtcdEvent, EtcdKeyValue } from './messages.ts';

/** The operations of an acknowledged transaction of this process, by revision. */
export type OwnWrites = ReadonlyMap<number, readonly WriteOperation[]>;

/** What a key of etcd is to a store that has those with a prefix; one that this process wrote keeps what its writer knew. */
export function versionOf(item: EtcdKeyValue, prefix: string, own?: readonly WriteOperation[]): KeyValue {
  const key = item.key.slice(prefix.length);
  const operation = own?.find((candidate) => candidate.key === key);
  const { createRevision, modRevision, lease } = item;
  // The bytes are copied out of the connection's buffer, which holds much that nobody needs any more.
  const value = operation?.value ?? Buffer.from(item.value);
  return { key, value, createRevision, modRevision, lease, decoded: operation?.decoded };
}

/** The events of a watch that a view does not show yet, each with what its key was before. */
export function eventsAfter(
  view: Pick<StoreView, 'revision' | 'get'>,
  events: readonly EtcdEvent[],
  { prefix, own }: { readonly prefix: string; readonly own: OwnWrites },
): readonly StoreEvent[] {
  const latest = new Map<string, KeyValue | undefined>();
  const made: StoreEvent[] = [];
  for (const { deleted, item } of events) {
    const revision = item.modRevision;
    if (revision <= view.revision) continue;
    const key = item.key.slice(prefix.length);
    const current = deleted ? undefined : versionOf(item, prefix, own.get(revision));
    const previous = latest.has(key) ? latest.get(key) : view.get(key);
    latest.set(key, current);
    made.push({ key, revision, current, previous, shared: undefined });
  }
  return made;
}
