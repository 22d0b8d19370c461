/**
 * Writes netlink messages one behind the other into one buffer (little endian hosts). Messages and attributes are padded to 4
 * bytes, as the kernel wants them.
 */
export class MessageWriter {
  #buffer: Buffer;
  #length = 0;
  #messageStart = 0;

  constructor(capacity = 4096) {
    this.#buffer = Buffer.alloc(capacity);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** The bytes written; valid until the next write. */
  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Forgets what was written from `length` on. */
  truncate(length: number): void {
    this.#length = length;
  }

  begin(type: number, flags: number, sequence: number): void {
    this.#messageStart = this.#length;
    this.u32(0);
    this.u16(type);
    this.u16(flags);
    this.u32(sequence);
    this.u32(0);
  }

  end(): void {
    this.#buffer.writeUInt32LE(this.#length - this.#messageStart, this.#messageStart);
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#length] = value & 0xff;
    this.#length += 1;
  }

  u16(value: number): void {
    this.#reserve(2);
    this.#buffer.writeUInt16LE(value, this.#length);
    this.#length += 2;
  }

  u32(value: number): void {
    this.#reserve(4);
    this.#buffer.writeUInt32LE(value >>> 0, this.#length);
    this.#length += 4;
  }

  attribute(type: number, value: Uint8Array): void {
    this.u16(value.length + 4);
    this.u16(type);
    this.#reserve(value.length + 3);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
    this.#pad();
  }

  /** An attribute that `write` fills in, from an offset of the buffer on; zeros stand there before. */
  attributeOf(type: number, length: number, write: (buffer: Buffer, at: number) => void): void {
    this.u16(length + 4);
    this.u16(type);
    this.#reserve(length + 3);
    this.#buffer.fill(0, this.#length, this.#length + length);
    write(this.#buffer, this.#length);
    this.#length += length;
    this.#pad();
  }

  attributeU8(type: number, value: number): void {
    this.u16(5);
    this.u16(type);
    this.u32(value & 0xff);
  }

  attributeU32(type: number, value: number): void {
    this.u16(8);
    this.u16(type);
    this.u32(value);
  }

  /** A number in network byte order, as netfilter's attributes are. */
  attributeU32Network(type: number, value: number): void {
    this.u16(8);
    this.u16(type);
    this.#reserve(4);
    this.#buffer.writeUInt32BE(value >>> 0, this.#length);
    this.#length += 4;
  }

  /** A string with the terminating zero. */
  attributeString(type: number, value: string): void {
    const bytes = Buffer.byteLength(value);
    this.u16(bytes + 5);
    this.u16(type);
    this.#reserve(bytes + 4);
    this.#buffer.write(value, this.#length);
    this.#length += bytes;
    this.u8(0);
    this.#pad();
  }

  /** An attribute that holds what `content` writes. */
  nest(type: number, content: () => void): void {
    const start = this.openNest(type);
    content();
    this.closeNest(start);
  }

  /** Begins an attribute that holds others; returns what `closeNest` wants. */
  openNest(type: number): number {
    const start = this.#length;
    this.u16(0);
    this.u16(type);
    return start;
  }

  closeNest(start: number): void {
    this.#buffer.writeUInt16LE(this.#length - start, start);
  }

  /** A structure whose first 16 bits are its length, as `rtnexthop`. */
  lengthPrefixed(content: () => void): void {
    const start = this.#length;
    this.u16(0);
    content();
    this.#buffer.writeUInt16LE(this.#length - start, start);
  }

  // Padding must be zero even where an earlier batch left bytes behind.
  #pad(): void {
    while (this.#length % 4 !== 0) this.u8(0);
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.alloc(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}
