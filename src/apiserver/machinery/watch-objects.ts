import { hasCode } from '../../errors/towtank-error.ts';
import type { KubeObject } from '../../kube/resources.ts';
import { ApiStatusError } from '../../kube/status.ts';
import type { KeyValue, StoreEvent } from '../../store/store.ts';
import { asServed } from './create-object.ts';
import { expired } from './errors.ts';
import type { Machinery } from './machinery.ts';
import { listPrefix } from './object-keys.ts';
import { buildMatcher, type Matcher, type Selection } from './selection.ts';
import type { ServedResource } from './served-resource.ts';
import { jsonBytes, servedObject, storedObject, wireBytes, withResourceVersion } from './stored-object.ts';

export type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED';

/** One object as a watch tells of it. What is derived from it is made once and shared by all watches. */
export class ObjectChange {
  readonly type: ChangeType;
  /** Revision of the change; for a synthetic ADDED that of the object. */
  readonly revision: number;
  readonly #entry: KeyValue;
  readonly #resource: ServedResource;
  #object: KubeObject | undefined;
  #json: Buffer | undefined;
  /** A place for frames made of it, by who needs them. */
  readonly frames = new Map<string, Buffer>();

  constructor(type: ChangeType, revision: number, entry: KeyValue, resource: ServedResource) {
    this.type = type;
    this.revision = revision;
    this.#entry = entry;
    this.#resource = resource;
  }

  /** The object in the served version; a deleted one carries the revision of its deletion. */
  get object(): KubeObject {
    this.#object ??=
      this.type === 'DELETED'
        ? asServed(this.#resource, withResourceVersion(storedObject(this.#entry), this.revision))
        : servedObject(this.#entry, this.#resource);
    return this.#object;
  }

  /** Its JSON. */
  get json(): Buffer {
    this.#json ??= this.type === 'DELETED' ? jsonBytes(this.object) : wireBytes(this.#entry, this.#resource);
    return this.#json;
  }
}

export interface WatchSink {
  /** Changes in order; `revision` is that of the newest of them. */
  readonly onChanges: (changes: readonly ObjectChange[], revision: number) => void;
  /** Called at most once: without a cause when the server closes. */
  readonly onEnd: (cause?: ApiStatusError) => void;
}

export interface WatchHandle extends Disposable {
  /** Revision up to which the watch has told everything: for bookmarks. */
  readonly revision: number;
  close(): void;
}

/** Everything that matches now, as synthetic additions, and the revision of that state. */
export function currentState(
  machinery: Machinery,
  selection: Selection,
): { changes: ObjectChange[]; revision: number } {
  const matcher = buildMatcher(selection);
  const { resource } = selection;
  const range = machinery.store.range(listPrefix(resource.stored.prefix, selection.namespace));
  const entries = matcher.all ? range.items : range.items.filter((entry) => matcher.matches(storedObject(entry)));
  const changes = entries.map((entry) => new ObjectChange('ADDED', entry.modRevision, entry, resource));
  return { changes, revision: range.revision };
}

/** Follows what happens after `revision`. Throws ApiStatusError Expired (410) when the history is gone. */
export function watchObjects(
  machinery: Machinery,
  selection: Selection,
  revision: number,
  sink: WatchSink,
): WatchHandle {
  const matcher = buildMatcher(selection);
  const { resource } = selection;
  const { store } = machinery;
  const handle = { revision };
  const onEvents = (events: readonly StoreEvent[]): void => {
    const changes: ObjectChange[] = [];
    for (const event of events) {
      const change = changeOf(event, matcher, resource);
      if (change) changes.push(change);
    }
    handle.revision = events.at(-1)!.revision;
    if (changes.length > 0) sink.onChanges(changes, handle.revision);
  };
  const onEnd = (cause?: Error): void => sink.onEnd(cause && asStatus(cause));
  try {
    const prefix = listPrefix(resource.stored.prefix, selection.namespace);
    const watch = store.watch({ prefix, afterRevision: revision, onEvents, onEnd });
    const close = (): void => watch.close();
    return {
      get revision(): number {
        return handle.revision;
      },
      close,
      [Symbol.dispose]: close,
    };
  } catch (error) {
    throw asStatus(error);
  }
}

function asStatus(error: unknown): ApiStatusError {
  if (hasCode(error, 'ERR_STORE_COMPACTED')) return expired(`too old resource version: ${error.message}`);
  const message = error instanceof Error ? error.message : String(error);
  return new ApiStatusError('ServiceUnavailable', message);
}

// An object that enters the selection is ADDED to its watchers, one that leaves it is DELETED.
function changeOf(event: StoreEvent, matcher: Matcher, resource: ServedResource): ObjectChange | undefined {
  const { current, previous } = event;
  const now = current !== undefined && (matcher.all || matcher.matches(storedObject(current)));
  const before = previous !== undefined && (matcher.all || matcher.matches(storedObject(previous)));
  if (now) return shared(event, before ? 'MODIFIED' : 'ADDED', current, resource);
  return before ? shared(event, 'DELETED', previous, resource) : undefined;
}

// Watches of one resource share the change, and with it the object and the frames made of it.
function shared(event: StoreEvent, type: ChangeType, entry: KeyValue, resource: ServedResource): ObjectChange {
  const known =
    (event.shared as Map<ServedResource, ObjectChange[]> | undefined) ?? new Map<ServedResource, ObjectChange[]>();
  event.shared = known;
  const list = known.get(resource) ?? [];
  const found = list.find((candidate) => candidate.type === type);
  if (found) return found;
  const made = new ObjectChange(type, event.revision, entry, resource);
  known.set(resource, [...list, made]);
  return made;
}
