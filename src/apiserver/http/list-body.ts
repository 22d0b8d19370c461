import type { KeyValue } from '../../store/store.ts';
import { GatheredBytes } from '../machinery/gathered-bytes.ts';
import type { ListIdentity, ListSegments } from '../machinery/list-segments.ts';
import type { ServedResource } from '../machinery/served-resource.ts';
import { writeWire } from '../machinery/stored-object.ts';
import { type ApiReply, jsonReply } from './api-request.ts';

/** Bytes that are gathered in one turn of the event loop. */
const CHUNK = 256 * 1024;
/** Objects whose bytes are made in one turn, when nobody has asked for them before. */
const TURN_OBJECTS = 250;
/** Lists up to here are answered in one piece. */
const SHORT = 100;
const END = Buffer.from(']}\n');

// Megabytes of fresh buffers for each list would call the garbage collector, which costs more than the list.
const spare: GatheredBytes[] = [];
const MAX_SPARE = 4;

/** A whole list and where its pieces are kept. */
export interface WholeList {
  readonly of: ListIdentity;
  readonly segments: ListSegments;
}

/**
 * A list, spliced together from the stored bytes of its items; the body of a long one is made while it is sent. `whole` is
 * given for a list that others will ask for as well: what is made for it is kept.
 */
export function listReply(
  head: object,
  { entries, resource }: { readonly entries: readonly KeyValue[]; readonly resource: ServedResource },
  whole: WholeList | undefined,
): ApiReply {
  const start = Buffer.from(`${JSON.stringify(head).slice(0, -1)},"items":[`);
  if (entries.length > SHORT) {
    if (whole === undefined) return { type: 'chunks', chunks: gatheredChunks(start, entries, resource) };
    const length = whole.segments.length(whole.of, entries);
    const chunks = keptChunks(start, entries, whole);
    // Every item has a comma before it, and the first loses its own.
    return { type: 'chunks', chunks, length: length && start.length + length - 1 + END.length };
  }
  const gathered = new GatheredBytes(4096);
  gathered.append(start, 0, start.length);
  for (const [i, entry] of entries.entries()) gatherItem(gathered, i, entry, resource);
  gathered.appendText(']}');
  return jsonReply(200, gathered.take());
}

function* keptChunks(start: Buffer, entries: readonly KeyValue[], { of, segments }: WholeList): Generator<Buffer> {
  yield start;
  let isFirst = true;
  for (const piece of segments.pieces(of, entries)) {
    yield isFirst ? piece.subarray(1) : piece;
    isFirst = false;
  }
  yield END;
}

/** Pieces of the body, each good until the next is asked for and the work of one turn of the event loop. */
function* gatheredChunks(start: Buffer, entries: readonly KeyValue[], resource: ServedResource): Generator<Buffer> {
  const gathered = spare.pop() ?? new GatheredBytes(CHUNK + CHUNK / 4);
  gathered.append(start, 0, start.length);
  for (let i = 0, since = 0; i < entries.length; i++) {
    gatherItem(gathered, i, entries[i]!, resource);
    if (gathered.length < CHUNK && ++since < TURN_OBJECTS) continue;
    since = 0;
    yield gathered.borrow();
  }
  gathered.append(END, 0, END.length);
  yield gathered.borrow();
  if (spare.length < MAX_SPARE) spare.push(gathered);
}

function gatherItem(gathered: GatheredBytes, index: number, entry: KeyValue, resource: ServedResource): void {
  if (index > 0) gathered.appendText(',');
  writeWire(gathered, entry, resource);
}
