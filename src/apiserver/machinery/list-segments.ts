import type { KeyValue } from '../../store/store.ts';
import { GatheredBytes } from './gathered-bytes.ts';
import type { ServedResource } from './served-resource.ts';
import { wireLength, writeWire } from './stored-object.ts';

/** About the bytes of one segment: few writes for a long list, little to make again for one change. */
const SEGMENT = 192 * 1024;
/** A shorter one swallows the segment behind it, so that insertions do not leave crumbs. */
const CRUMB = SEGMENT / 4;
/** Bytes that one API server keeps; the lists that nobody has asked for the longest go first. */
const KEPT = 48 * 1024 * 1024;
/**
 * About the bytes of which one answer makes copies that are kept. A long list that is asked for once leaves little behind, and
 * nobody pays for all of its copies: fresh memory and the garbage collection that it calls for cost several times the list.
 */
const KEPT_AT_ONCE = 4 * 1024 * 1024;

/** Objects whose bytes are counted beforehand at most: it is the work of one turn of the event loop. */
const MEASURED = 20_000;

/** Neighbours in the order of their keys, as they stand in a list: each behind a comma. */
interface Segment {
  readonly entries: readonly KeyValue[];
  readonly bytes: Buffer;
}

interface KnownList {
  readonly resource: ServedResource;
  /** By their first entries. */
  readonly segments: ReadonlyMap<KeyValue, Segment>;
  readonly size: number;
}

/** What a list is of: lists of the same have the same neighbours. */
export interface ListIdentity {
  readonly resource: ServedResource;
  readonly namespace: string | undefined;
}

/** Bounds of what is kept, in bytes. */
export interface ListSegmentsOptions {
  readonly kept?: number;
  readonly keptAtOnce?: number;
}

/**
 * Long lists as a few large pieces of JSON that are kept. A segment holds the versions that it was made of and is good as
 * long as these stand in the list one behind the other: nothing has to be told to it, and a change costs one segment.
 */
export class ListSegments {
  readonly #kept: number;
  readonly #keptAtOnce: number;
  // The list asked for last is the last.
  readonly #lists = new Map<string, KnownList>();
  #size = 0;
  #spare: GatheredBytes | undefined;

  constructor({ kept = KEPT, keptAtOnce = KEPT_AT_ONCE }: ListSegmentsOptions = {}) {
    this.#kept = kept;
    this.#keptAtOnce = keptAtOnce;
  }

  /** Bytes that are kept. */
  get size(): number {
    return this.#size;
  }

  /** Length of the pieces, where it can be told without making them. */
  length(of: ListIdentity, entries: readonly KeyValue[]): number | undefined {
    const segments = this.#known(of)?.segments;
    let length = 0;
    let measured = 0;
    for (let at = 0; at < entries.length; ) {
      const segment = validAt(segments, entries, at);
      const own = segment ? segment.bytes.length : wireLength(entries[at]!, of.resource);
      if (own === undefined || (segment === undefined && ++measured > MEASURED)) return undefined;
      length += segment ? own : own + 1;
      at += segment ? segment.entries.length : 1;
    }
    return length;
  }

  /**
   * The items in pieces, each the work of one turn of the event loop and good until the next is asked for: a comma stands before
   * every item.
   */
  *pieces(of: ListIdentity, entries: readonly KeyValue[]): Generator<Buffer> {
    const known = this.#known(of)?.segments;
    const segments = new Map<KeyValue, Segment>();
    let size = 0;
    let made = 0;
    for (let at = 0; at < entries.length; ) {
      const place = { of, entries, at };
      let segment = validAt(known, entries, at);
      if (segment === undefined && made < this.#keptAtOnce) {
        segment = makeSegment(known, place);
        made += segment.bytes.length;
      }
      if (segment === undefined) {
        at = yield* this.#passing(known, place);
        continue;
      }
      at += segment.entries.length;
      size += segment.bytes.length;
      if (size <= this.#kept) segments.set(segment.entries[0]!, segment);
      else segments.clear();
      yield segment.bytes;
    }
    if (size <= this.#kept) this.#keep(of, { resource: of.resource, segments, size });
  }

  /** The same for a list of which nothing is kept. */
  *passingPieces(of: ListIdentity, entries: readonly KeyValue[]): Generator<Buffer> {
    for (let at = 0; at < entries.length; ) at = yield* this.#passing(undefined, { of, entries, at });
  }

  // One piece, in a buffer that the next such piece reuses: a fresh one for each would call the garbage collector.
  *#passing(known: Segments, place: Place): Generator<Buffer, number> {
    const gathered = this.#spare ?? new GatheredBytes(SEGMENT + SEGMENT / 8);
    this.#spare = undefined;
    const end = gather(gathered, known, { ...place, crumb: 0 });
    yield gathered.borrow();
    this.#spare = gathered;
    return end;
  }

  #known(of: ListIdentity): KnownList | undefined {
    const known = this.#lists.get(nameOf(of));
    // A custom resource that was defined anew is another one.
    return known?.resource === of.resource ? known : undefined;
  }

  #keep(of: ListIdentity, list: KnownList): void {
    this.#forget(nameOf(of));
    this.#lists.set(nameOf(of), list);
    this.#size += list.size;
    for (const name of this.#lists.keys()) {
      if (this.#size <= this.#kept) return;
      this.#forget(name);
    }
  }

  #forget(name: string): void {
    this.#size -= this.#lists.get(name)?.size ?? 0;
    this.#lists.delete(name);
  }
}

function nameOf({ resource, namespace = '' }: ListIdentity): string {
  const { group, version, resource: plural } = resource.type;
  return `${group}/${version}/${plural}/${namespace}`;
}

type Segments = ReadonlyMap<KeyValue, Segment> | undefined;

function validAt(segments: Segments, entries: readonly KeyValue[], at: number): Segment | undefined {
  const segment = segments?.get(entries[at]!);
  if (segment === undefined) return undefined;
  const { entries: made } = segment;
  for (let i = 0; i < made.length; i++) if (made[i] !== entries[at + i]) return undefined;
  return segment;
}

interface Place {
  readonly of: ListIdentity;
  readonly entries: readonly KeyValue[];
  readonly at: number;
}

function makeSegment(known: Segments, place: Place): Segment {
  const gathered = new GatheredBytes(SEGMENT + SEGMENT / 8);
  const end = gather(gathered, known, { ...place, crumb: CRUMB });
  return { entries: place.entries.slice(place.at, end), bytes: gathered.take() };
}

// Up to the next segment that is known; one with fewer than `crumb` bytes before it is gathered too. Returns where the rest begins.
function gather(gathered: GatheredBytes, known: Segments, place: Place & { readonly crumb: number }): number {
  const { of, entries, at, crumb } = place;
  let end = at;
  while (end < entries.length && gathered.length < SEGMENT) {
    const next = end === at ? undefined : validAt(known, entries, end);
    if (next && gathered.length > crumb) return end;
    if (next) {
      gathered.append(next.bytes, 0, next.bytes.length);
      return end + next.entries.length;
    }
    gathered.appendText(',');
    writeWire(gathered, entries[end++]!, of.resource);
  }
  return end;
}
