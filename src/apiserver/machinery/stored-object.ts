import { apiVersionOf, type KubeObject, type ResourceType } from '../../kube/resources.ts';
import type { KeyValue } from '../../store/store.ts';
import { GatheredBytes } from './gathered-bytes.ts';
import { keptBytes } from './kept-bytes.ts';
import type { ServedResource } from './served-resource.ts';

const METADATA = Buffer.from('"metadata":{');

/**
 * One stored version as objects: made once per KeyValue and kept in its `decoded`, so that all readers share it. Objects
 * carry their resourceVersion; the stored bytes do not.
 */
class StoredObject {
  readonly object: KubeObject;
  #converted: Map<ServedResource, KubeObject> | undefined;
  constructor(object: KubeObject, revision: number) {
    this.object = withResourceVersion(object, revision);
  }
  as(resource: ServedResource): KubeObject {
    if (resource.conversion === undefined) return this.object;
    this.#converted ??= new Map();
    let object = this.#converted.get(resource);
    if (object === undefined) {
      object = resource.conversion.fromStored(this.object);
      this.#converted.set(resource, object);
    }
    return object;
  }
}

/** The object with this resourceVersion. */
export function withResourceVersion<T extends KubeObject>(object: T, revision: number): T {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
}

/** The stored object in its stored version. */
export function storedObject(entry: KeyValue): KubeObject {
  return decode(entry).object;
}

/** The stored object as this resource serves it. */
export function servedObject(entry: KeyValue, resource: ServedResource): KubeObject {
  return decode(entry).as(resource);
}

function decode(entry: KeyValue): StoredObject {
  const known = entry.decoded;
  if (known instanceof StoredObject) return known;
  const object = (known ?? JSON.parse(entry.value.toString())) as KubeObject;
  const made = new StoredObject(object, entry.modRevision);
  entry.decoded = made;
  return made;
}

// The stored object, without leaving it to be kept for as long as the entry.
function passingObject({ decoded, modRevision }: KeyValue): KubeObject {
  return decoded instanceof StoredObject ? decoded.object : withResourceVersion(decoded as KubeObject, modRevision);
}

/** Lets go of an object that has been written and that nobody has read since: its bytes are enough for most. */
export function releaseUnread(entry: KeyValue): void {
  if (entry.isEncoded !== false && !(entry.decoded instanceof StoredObject)) entry.decoded = undefined;
}

/** Bytes for the store: kind, apiVersion and metadata come first, so that a resourceVersion can be spliced in. */
export function encodeObject(object: KubeObject, type: ResourceType): Buffer {
  const { kind: _kind, apiVersion: _apiVersion, metadata, ...rest } = object;
  const { resourceVersion: _version, ...stored } = metadata ?? {};
  return keptBytes(JSON.stringify({ kind: type.kind, apiVersion: apiVersionOf(type), metadata: stored, ...rest }));
}

/** Takes bytes behind each other. */
export interface ByteSink {
  append(bytes: Buffer, from: number, to: number): void;
  /** Characters up to 255. */
  appendText(text: string): void;
  /** Any characters. */
  appendUtf8(text: string): void;
}

/** Writes the object's JSON as this resource serves it, from the stored bytes where these are of its version. */
export function writeWire(sink: ByteSink, entry: KeyValue, resource: ServedResource): void {
  if (entry.isEncoded === false && resource.conversion === undefined) {
    // Bytes of its own would only be copied from here on.
    const { type } = resource;
    sink.appendUtf8(JSON.stringify({ kind: type.kind, apiVersion: apiVersionOf(type), ...passingObject(entry) }));
    return;
  }
  const { value } = entry;
  const at = resource.conversion === undefined ? spliceOffset(value, resource.type) : -1;
  if (at === -1) {
    const bytes = jsonBytes(servedObject(entry, resource));
    sink.append(bytes, 0, bytes.length);
    return;
  }
  sink.append(value, 0, at);
  sink.appendText(resourceVersionField(entry.modRevision));
  sink.append(value, at, value.length);
}

/** The object's JSON as this resource serves it. */
export function wireBytes(entry: KeyValue, resource: ServedResource): Buffer {
  const gathered = new GatheredBytes(entry.value.length + 64);
  writeWire(gathered, entry, resource);
  return gathered.take();
}

/** JSON of an object that is not stored as it stands: a dry run, the last state of a deleted one. */
export function jsonBytes(object: unknown): Buffer {
  return Buffer.from(JSON.stringify(object));
}

/** How many bytes `writeWire` writes, where that can be told without making them. */
export function wireLength(entry: KeyValue, { conversion, type }: ServedResource): number | undefined {
  if (entry.isEncoded === false || conversion !== undefined) return undefined;
  const { value, modRevision } = entry;
  return spliceOffset(value, type) === -1 ? undefined : value.length + resourceVersionField(modRevision).length;
}

const resourceVersionField = (revision: number): string => `"resourceVersion":"${revision}",`;

const starts = new WeakMap<ResourceType, number>();

function startOf(type: ResourceType): number {
  let start = starts.get(type);
  if (start === undefined) {
    start = `{"kind":"${type.kind}","apiVersion":"${apiVersionOf(type)}",`.length;
    starts.set(type, start);
  }
  return start;
}

// Bytes that another server wrote have the same shape; anything else is stringified instead of spliced.
function spliceOffset(value: Buffer, type: ResourceType): number {
  const start = startOf(type);
  const end = start + METADATA.length;
  if (value.length <= end) return -1;
  // So few bytes are compared here before a call of Node's would have begun.
  for (let i = 0; i < METADATA.length; i++) if (value[start + i] !== METADATA[i]) return -1;
  return value[end] === 0x7d ? -1 : end;
}
