import { encodeMessage, HEADER_LENGTH } from '../wire/message.ts';
import { encodeName } from '../wire/name.ts';
import type { ResourceRecord } from '../wire/record.ts';
import { RecordClass, RecordType } from '../wire/record-type.ts';

/**
 * The records of one answer as bytes, valid behind the question of exactly this name: owner names are pointers, so a reply
 * is header, question, these bytes and OPT. Address records point only at the question or at SRV targets, so they may be
 * put in any order.
 */
export interface CompiledAnswer {
  /** A character each (Latin-1): of so few bytes, a typed array would be mostly the array. */
  readonly bytes: string;
  readonly answerCount: number;
  readonly additionalCount: number;
  /** Runs of at least two address records, to be put in random order. */
  readonly shuffles: readonly AddressRun[];
  /** Places in `bytes` where the zone's name stands uncompressed and takes the case of the question. */
  readonly zoneSpots: readonly number[];
}

/** Address records that follow each other within one section. */
export interface AddressRun {
  /** Where each record starts in the answer's bytes, and the end of the last one. */
  readonly offsets: readonly number[];
  /** Bytes of each record when all are equally long, else 0. */
  readonly stride: number;
}

const NONE: readonly never[] = [];

/** Copies some characters of an answer's bytes, all of them by default. */
export function copyBytes(
  bytes: string,
  out: Uint8Array,
  { at, from = 0, to = bytes.length }: { readonly at: number; readonly from?: number; readonly to?: number },
): void {
  for (let i = from, next = at; i < to; i++, next++) out[next] = bytes.charCodeAt(i);
}

/** Compiles the records that answer `name` (lower case); `zone` is the zone in lower case. */
export function compileAnswer(
  name: string,
  zone: string,
  records: { readonly answer: readonly ResourceRecord[]; readonly additional: readonly ResourceRecord[] },
): CompiledAnswer {
  // The question stands in the packet's case, whatever that is: only the owner may point at it, no part of another name.
  // In capitals here, it is different from every other name for the encoder.
  const asked = name.toUpperCase();
  const question = { name: asked, type: RecordType.A, class: RecordClass.IN };
  const answer = records.answer.map((record) => (record.name === name ? { ...record, name: asked } : record));
  const { additional } = records;
  const message = encodeMessage({ id: 0, flags: 0, questions: [question], answer, authority: [], additional });
  const start = HEADER_LENGTH + encodeName(name)!.length + 4;
  const bytes = message.subarray(start);
  const offsets = recordOffsets(bytes, answer.length + additional.length);
  const zoneLength = encodeName(zone)!.length;
  const shuffles = [...addressRun(answer, offsets), ...addressRun(additional, offsets.slice(answer.length))];
  const zoneSpots = answer.flatMap(({ type }, i) => (type === RecordType.SRV ? [offsets[i + 1]! - zoneLength] : []));
  return {
    bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1'),
    answerCount: answer.length,
    additionalCount: additional.length,
    // Most answers have neither, and there is one per name and type.
    shuffles: shuffles.length === 0 ? NONE : shuffles,
    zoneSpots: zoneSpots.length === 0 ? NONE : zoneSpots,
  };
}

function addressRun(records: readonly ResourceRecord[], offsets: readonly number[]): readonly AddressRun[] {
  const from = records.findIndex(({ type }) => type === RecordType.A || type === RecordType.AAAA);
  if (from === -1 || records.length - from < 2) return [];
  const run = offsets.slice(from, records.length + 1);
  const length = run[1]! - run[0]!;
  const even = run.every((offset, i) => offset === run[0]! + i * length);
  return [{ offsets: run, stride: even ? length : 0 }];
}

// Where each record starts, and the end.
function recordOffsets(bytes: Uint8Array, count: number): readonly number[] {
  const offsets = [0];
  let at = 0;
  for (let i = 0; i < count; i++) {
    while (bytes[at]! !== 0 && bytes[at]! < 0xc0) at += bytes[at]! + 1;
    at += bytes[at] === 0 ? 1 : 2;
    at += 10 + ((bytes[at + 8]! << 8) | bytes[at + 9]!);
    offsets.push(at);
  }
  return offsets;
}
