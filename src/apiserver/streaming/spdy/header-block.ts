import { createInflate, type Inflate } from 'node:zlib';
import { spdyDictionary } from './dictionary.ts';

export type SpdyHeaders = Readonly<Record<string, string>>;

const MAX_BLOCK = 64 * 1024;
const ZLIB_HEADER = Buffer.from([0x78, 0x01]);
// An empty stored block: Go's reader hands out what it has when it meets one.
const SYNC = Buffer.from([0, 0, 0, 0xff, 0xff]);

/** Writes header blocks: one zlib stream for the whole session, made of stored blocks, which every reader takes. */
export class HeaderWriter {
  #started = false;

  encode(headers: SpdyHeaders): Buffer {
    const entries = Object.entries(headers);
    const parts = [uint32(entries.length)];
    for (const [name, value] of entries) {
      for (const text of [name.toLowerCase(), value]) parts.push(uint32(Buffer.byteLength(text)), Buffer.from(text));
    }
    const content = Buffer.concat(parts);
    const block = Buffer.alloc(5);
    block.writeUInt16LE(content.length, 1);
    block.writeUInt16LE(content.length ^ 0xffff, 3);
    const head = this.#started ? [] : [ZLIB_HEADER];
    this.#started = true;
    return Buffer.concat([...head, block, content, SYNC]);
  }
}

/** Reads header blocks in order. */
export class HeaderReader {
  readonly #inflate: Inflate = createInflate({ dictionary: spdyDictionary() });
  #chunks: Buffer[] = [];
  #size = 0;

  constructor() {
    this.#inflate.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#size += chunk.length;
      if (this.#size > MAX_BLOCK) this.#inflate.destroy(new Error('the header block is too large'));
    });
  }

  /** Rejects for what is no header block. */
  decode(block: Buffer): Promise<SpdyHeaders> {
    return new Promise((resolve, reject) => {
      this.#inflate.once('error', reject);
      this.#inflate.write(block, () => {
        this.#inflate.off('error', reject);
        const content = Buffer.concat(this.#chunks);
        this.#chunks = [];
        this.#size = 0;
        try {
          resolve(parseHeaders(content));
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  close(): void {
    this.#inflate.on('error', () => {});
    this.#inflate.destroy();
  }
}

function parseHeaders(content: Buffer): SpdyHeaders {
  let at = 4;
  const text = (): string => {
    const length = content.readUInt32BE(at);
    const value = content.toString('utf8', at + 4, at + 4 + length);
    at += 4 + length;
    if (at > content.length) throw new RangeError('the header block is too short');
    return value;
  };
  const headers: Record<string, string> = Object.create(null);
  for (let count = content.readUInt32BE(0); count > 0; count--) {
    const name = text();
    headers[name] = text();
  }
  return headers;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
