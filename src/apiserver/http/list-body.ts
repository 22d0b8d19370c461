import type { KeyValue } from '../../store/store.ts';
import { GatheredBytes } from '../machinery/gathered-bytes.ts';
import type { ListIdentity, ListSegments } from '../machinery/list-segments.ts';
import { writeWire } from '../machinery/stored-object.ts';
import { type ApiReply, jsonReply } from './api-request.ts';

/** Lists up to here are answered in one piece. */
const SHORT = 100;
const END = Buffer.from(']}\n');

/** What a list is of, and where its pieces are made and kept. */
export interface ListSource {
  readonly of: ListIdentity;
  readonly segments: ListSegments;
  /** True for a list that others will ask for as well: what is made for it is kept. */
  readonly isWhole: boolean;
}

/** A list, spliced together from the stored bytes of its items; the body of a long one is made while it is sent. */
export function listReply(head: object, entries: readonly KeyValue[], { of, segments, isWhole }: ListSource): ApiReply {
  const start = Buffer.from(`${JSON.stringify(head).slice(0, -1)},"items":[`);
  if (entries.length > SHORT) {
    const pieces = isWhole ? segments.pieces(of, entries) : segments.passingPieces(of, entries);
    const length = isWhole ? segments.length(of, entries) : undefined;
    // Every item has a comma before it, and the first loses its own.
    return { type: 'chunks', chunks: body(start, pieces), length: length && start.length + length - 1 + END.length };
  }
  const gathered = new GatheredBytes(4096);
  gathered.append(start, 0, start.length);
  for (const [i, entry] of entries.entries()) {
    if (i > 0) gathered.appendText(',');
    writeWire(gathered, entry, of.resource);
  }
  gathered.appendText(']}');
  return jsonReply(200, gathered.take());
}

function* body(start: Buffer, pieces: Iterable<Buffer>): Generator<Buffer> {
  yield start;
  let isFirst = true;
  for (const piece of pieces) {
    yield isFirst ? piece.subarray(1) : piece;
    isFirst = false;
  }
  yield END;
}
