import type { KeyValue } from '../../store/store.ts';
import { GatheredBytes } from '../machinery/gathered-bytes.ts';
import type { ServedResource } from '../machinery/served-resource.ts';
import { writeWire } from '../machinery/stored-object.ts';
import { type ApiReply, jsonReply } from './api-request.ts';

/** Bytes that are gathered in one turn of the event loop. */
const CHUNK = 256 * 1024;
/** Objects whose bytes are made in one turn, when nobody has asked for them before. */
const TURN_OBJECTS = 250;
/** Lists up to here are answered in one piece. */
const SHORT = 100;

// Megabytes of fresh buffers for each list would call the garbage collector, which costs more than the list.
const spare: GatheredBytes[] = [];
const MAX_SPARE = 4;

/** A list, spliced together from the stored bytes of its items; the body of a long one is made while it is sent. */
export function listReply(head: object, entries: readonly KeyValue[], resource: ServedResource): ApiReply {
  const start = `${JSON.stringify(head).slice(0, -1)},"items":[`;
  if (entries.length > SHORT) return { type: 'chunks', chunks: listChunks(start, entries, resource) };
  const gathered = new GatheredBytes(4096);
  gatherStart(gathered, start);
  for (const [i, entry] of entries.entries()) gatherItem(gathered, i, entry, resource);
  gathered.appendText(']}');
  return jsonReply(200, gathered.take());
}

/** Pieces of the body, each good until the next is asked for and the work of one turn of the event loop. */
function* listChunks(start: string, entries: readonly KeyValue[], resource: ServedResource): Generator<Buffer> {
  const gathered = spare.pop() ?? new GatheredBytes(CHUNK + CHUNK / 4);
  gatherStart(gathered, start);
  for (let i = 0, since = 0; i < entries.length; i++) {
    gatherItem(gathered, i, entries[i]!, resource);
    if (gathered.length < CHUNK && ++since < TURN_OBJECTS) continue;
    since = 0;
    yield gathered.borrow();
  }
  gathered.appendText(']}\n');
  yield gathered.borrow();
  if (spare.length < MAX_SPARE) spare.push(gathered);
}

function gatherStart(gathered: GatheredBytes, start: string): void {
  const bytes = Buffer.from(start);
  gathered.append(bytes, 0, bytes.length);
}

function gatherItem(gathered: GatheredBytes, index: number, entry: KeyValue, resource: ServedResource): void {
  if (index > 0) gathered.appendText(',');
  writeWire(gathered, entry, resource);
}
