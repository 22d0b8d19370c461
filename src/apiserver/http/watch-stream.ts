import type { ServerResponse } from 'node:http';
import { apiVersionOf, type KubeObject } from '../../kube/resources.ts';
import { ApiStatusError } from '../../kube/status.ts';
import { asStored } from '../machinery/create-object.ts';
import { invalidObject } from '../machinery/errors.ts';
import { parseResourceVersion, tooLarge } from '../machinery/list-objects.ts';
import type { Machinery } from '../machinery/machinery.ts';
import { buildMatcher, type Selection } from '../machinery/selection.ts';
import type { ServedResource } from '../machinery/served-resource.ts';
import { currentState, type ObjectChange, type WatchHandle, watchObjects } from '../machinery/watch-objects.ts';
import type { FieldCause } from '../schema/contract.ts';
import type { TableColumns } from '../tables/table-columns.ts';
import { forbidden, notSupported } from '../validation/field-errors.ts';
import type { ApiReply, ApiRequest } from './api-request.ts';
import { EventWriter, eventFrame } from './event-writer.ts';
import type { MediaType } from './negotiate.ts';
import { type IncludeObject, partialMetadata, printTable, type TableRow } from './print-table.ts';
import { acceptedMedia, includeOf } from './read-verbs.ts';
import type { ResourceRequestInfo } from './request-info.ts';
import { readBoolean, readInteger } from './request-options.ts';

const BOOKMARK_MS = 60_000;
const MIN_TIMEOUT_MS = 1_800_000;
// A client that is this far behind is cut off: it lists again, and costs nobody else memory.
const MAX_BUFFERED = 32 * 1024 * 1024;
// The same for what happens while a client takes what is there already.
const MAX_HELD = 20_000;
/** Objects of the initial state that are written in one turn of the event loop. */
const TURN_OBJECTS = 250;
const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

interface WatchOptions {
  readonly selection: Selection;
  readonly revision: number | undefined;
  readonly bookmarks: boolean;
  readonly initialEvents: boolean;
  readonly initialEnd: boolean;
  readonly timeoutMs: number;
  readonly media: MediaType;
  readonly include: IncludeObject;
}

/** GET with `watch`: a stream of events, one JSON object on each line. */
export function watchCollection(
  machinery: Machinery,
  resource: ServedResource,
  info: ResourceRequestInfo,
  request: ApiRequest,
): ApiReply {
  const options = readOptions(machinery, resource, info, request);
  buildMatcher(options.selection);
  return { type: 'stream', write: (response) => new WatchStream(machinery, options, response).start() };
}

function readOptions(
  machinery: Machinery,
  resource: ServedResource,
  info: ResourceRequestInfo,
  request: ApiRequest,
): WatchOptions {
  const { query } = request;
  validate(query);
  const version = query.get('resourceVersion') ?? '';
  const revision = parseResourceVersion(version);
  const send = query.get('sendInitialEvents');
  const initial = send === null ? revision === 0 : readBoolean(send);
  const seconds = query.get('timeoutSeconds');
  const timeout = seconds === null ? 0 : readInteger(seconds) * 1000;
  if (send !== null && revision > machinery.store.revision) throw tooLarge(revision, machinery.store.revision);
  const named = info.name === undefined ? undefined : `metadata.name=${info.name}`;
  return {
    selection: {
      resource,
      namespace: resource.type.namespaced ? info.namespace : undefined,
      labelSelector: query.get('labelSelector') ?? undefined,
      fieldSelector: query.get('fieldSelector') || named,
    },
    revision: initial ? undefined : revision || machinery.store.revision,
    bookmarks: query.has('allowWatchBookmarks') && readBoolean(query.get('allowWatchBookmarks') ?? ''),
    initialEvents: initial,
    initialEnd: send !== null && readBoolean(send),
    timeoutMs: timeout > 0 ? timeout : MIN_TIMEOUT_MS * (1 + machinery.random()),
    media: acceptedMedia(request),
    include: includeOf(request),
  };
}

function validate(query: URLSearchParams): void {
  const match = query.get('resourceVersionMatch') ?? '';
  const initial = query.has('sendInitialEvents');
  const path = 'resourceVersionMatch';
  const causes: FieldCause[] = [];
  if (initial && match !== 'NotOlderThan') {
    causes.push(forbidden(path, 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'));
  }
  if (match !== '') {
    if (!initial)
      causes.push(forbidden(path, 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided'));
    if (match !== 'NotOlderThan') causes.push(notSupported(path, match, ['NotOlderThan']));
    if (query.get('continue'))
      causes.push(forbidden(path, 'resourceVersionMatch is forbidden when continue is provided'));
  }
  if (causes.length > 0) throw invalidObject({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', causes);
}

/** One watch over one connection. */
class WatchStream {
  readonly #machinery: Machinery;
  readonly #options: WatchOptions;
  readonly #response: ServerResponse;
  readonly #events: EventWriter;
  #timeout: Disposable | undefined;
  #nextBookmark: Disposable | undefined;
  #handle: WatchHandle | undefined;
  /** What has happened since the initial state, which is still on its way. */
  #held: ObjectChange[] | undefined;
  #columnsSent = false;
  #ended = false;

  constructor(machinery: Machinery, options: WatchOptions, response: ServerResponse) {
    this.#machinery = machinery;
    this.#options = options;
    this.#response = response;
    this.#events = new EventWriter(response, (buffered) => this.#checkBuffered(buffered));
  }

  start(): void {
    const { clock } = this.#machinery;
    const { timeoutMs, bookmarks, selection, initialEvents } = this.#options;
    this.#response.on('close', () => this.#end());
    this.#timeout = clock.schedule(timeoutMs, () => this.#end());
    if (bookmarks) this.#scheduleBookmark();
    if (!initialEvents) {
      this.#follow(this.#options.revision ?? 0);
      return;
    }
    const { changes, revision } = currentState(this.#machinery, selection);
    this.#held = [];
    this.#follow(revision);
    this.#sendState(changes, revision, 0);
  }

  // As fast as the client takes it, and never for long: others wait meanwhile.
  #sendState(state: readonly ObjectChange[], revision: number, from: number): void {
    if (this.#ended) return;
    const next = Math.min(from + TURN_OBJECTS, state.length);
    for (let at = from; at < next; at++) this.#events.write(this.#frame(state[at]!));
    if (next < state.length) {
      this.#events.whenTaken(() => this.#sendState(state, revision, next));
      return;
    }
    if (this.#options.initialEnd) this.#bookmark(revision, true);
    const held = this.#held ?? [];
    this.#held = undefined;
    this.#send(held);
  }

  #follow(revision: number): void {
    if (this.#ended) return;
    const sink = {
      onChanges: (changes: readonly ObjectChange[]) => this.#send(changes),
      onEnd: (cause?: ApiStatusError) => (cause ? this.#fail(cause) : this.#end()),
    };
    try {
      this.#handle = watchObjects(this.#machinery, this.#options.selection, revision, sink);
    } catch (error) {
      if (!(error instanceof ApiStatusError)) throw error;
      this.#fail(error);
    }
  }

  #send(changes: readonly ObjectChange[]): void {
    if (this.#ended) return;
    if (this.#held) {
      for (const change of changes) this.#held.push(change);
      if (this.#held.length > MAX_HELD) this.#cutOff();
      return;
    }
    for (const change of changes) this.#events.write(this.#frame(change));
  }

  #checkBuffered(buffered: number): void {
    if (buffered > MAX_BUFFERED) this.#cutOff();
  }

  #cutOff(): void {
    this.#response.destroy();
    this.#end();
  }

  #frame(change: ObjectChange): Buffer {
    const { representation, version } = this.#options.media;
    if (representation === 'table') return this.#tableFrame(change);
    const key = representation + version;
    const known = change.frames.get(key);
    if (known) return known;
    const object =
      representation === 'object' ? change.json : Buffer.from(JSON.stringify(partialMetadata(change.object, version)));
    const frame = eventFrame(change.type, object);
    change.frames.set(key, frame);
    return frame;
  }

  // Ages in the cells depend on the moment, and the first row carries the columns: tables are made for each watch.
  #tableFrame(change: ObjectChange): Buffer {
    const { resource } = this.#options.selection;
    const row = { stored: asStored(resource, change.object), served: change.object };
    return this.#tableEvent(change.type, resource.columns, row);
  }

  #tableEvent(type: string, columns: TableColumns, row: TableRow): Buffer {
    const { media, include } = this.#options;
    const table = printTable(columns, [row], {
      version: media.version,
      include,
      now: this.#machinery.clock.now(),
      withColumns: !this.#columnsSent,
      metadata: { resourceVersion: row.served.metadata?.resourceVersion },
    });
    this.#columnsSent = true;
    return eventFrame(type, Buffer.from(JSON.stringify(table)));
  }

  #scheduleBookmark(): void {
    this.#nextBookmark = this.#machinery.clock.schedule(BOOKMARK_MS, () => {
      if (this.#handle && !this.#held) this.#bookmark(this.#machinery.store.revision, false);
      this.#scheduleBookmark();
    });
  }

  #bookmark(revision: number, initialEnd: boolean): void {
    const { type, columns } = this.#options.selection.resource;
    const metadata = {
      resourceVersion: String(revision),
      creationTimestamp: null,
      ...(initialEnd ? { annotations: { [INITIAL_EVENTS_END]: 'true' } } : {}),
    };
    const object = { kind: type.kind, apiVersion: apiVersionOf(type), metadata };
    const { representation } = this.#options.media;
    if (representation === 'table') {
      const bookmark = object as unknown as KubeObject;
      const empty = { ...columns, cells: () => columns.columns.map(() => '') };
      this.#events.write(this.#tableEvent('BOOKMARK', empty, { stored: bookmark, served: bookmark }));
    } else this.#events.write(eventFrame('BOOKMARK', Buffer.from(JSON.stringify(object))));
  }

  #fail(cause: ApiStatusError): void {
    if (this.#ended) return;
    this.#events.write(eventFrame('ERROR', Buffer.from(JSON.stringify(cause.toStatus()))));
    this.#end();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#handle?.close();
    this.#timeout?.[Symbol.dispose]();
    this.#nextBookmark?.[Symbol.dispose]();
    this.#events.end();
  }
}
