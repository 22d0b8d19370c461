/** Control frames of SPDY/3.1 that matter here. */
export const frameType = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

export const FLAG_FIN = 1;
const VERSION = 3;
const MAX_FRAME = 4 * 1024 * 1024;

export type Frame =
  | { readonly type: 'data'; readonly stream: number; readonly fin: boolean; readonly data: Buffer }
  | { readonly type: 'control'; readonly control: number; readonly flags: number; readonly data: Buffer };

/** Cuts a byte stream into frames. Throws RangeError for a frame that is too large or of another version. */
export class FrameReader {
  #pending: Buffer[] = [];
  #size = 0;

  *read(chunk: Buffer): Generator<Frame> {
    this.#pending.push(chunk);
    this.#size += chunk.length;
    for (;;) {
      if (this.#size < 8) return;
      const head = this.#peek(8);
      const length = head.readUIntBE(5, 3);
      if (length > MAX_FRAME) throw new RangeError('the frame is too large');
      if (this.#size < 8 + length) return;
      yield parseFrame(this.#take(8 + length));
    }
  }

  #peek(size: number): Buffer {
    if (this.#pending[0]!.length < size) this.#pending = [Buffer.concat(this.#pending)];
    return this.#pending[0]!;
  }

  #take(size: number): Buffer {
    if (this.#pending[0]!.length < size) this.#pending = [Buffer.concat(this.#pending)];
    const first = this.#pending[0]!;
    this.#size -= size;
    if (first.length === size) this.#pending.shift();
    else this.#pending[0] = first.subarray(size);
    return first.subarray(0, size);
  }
}

function parseFrame(frame: Buffer): Frame {
  const first = frame.readUInt32BE(0);
  const flags = frame[4]!;
  const data = frame.subarray(8);
  if (first < 0x80000000) return { type: 'data', stream: first, fin: (flags & FLAG_FIN) !== 0, data };
  if (((first >>> 16) & 0x7fff) !== VERSION) throw new RangeError('the frame is of another version of SPDY');
  return { type: 'control', control: first & 0xffff, flags, data };
}

/** Head of a data frame; the payload follows. */
export function dataHead(stream: number, length: number, fin: boolean): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(stream, 0);
  head[4] = fin ? FLAG_FIN : 0;
  head.writeUIntBE(length, 5, 3);
  return head;
}

/** A whole control frame. */
export function controlFrame(control: number, flags: number, ...parts: readonly Buffer[]): Buffer {
  const data = Buffer.concat(parts);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(0x80000000 + VERSION * 0x10000 + control, 0);
  head[4] = flags;
  head.writeUIntBE(data.length, 5, 3);
  return Buffer.concat([head, data]);
}

/** Numbers of four bytes. */
export function uint32s(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => void bytes.writeUInt32BE(value >>> 0, i * 4));
  return bytes;
}
