const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/**
 * Reads one protobuf message field by field: `while (reader.next()) switch (reader.field) ...`. A field that is not read is
 * skipped. Throws RangeError for bytes that are no message.
 */
export class ProtobufReader {
  /** Number of the field at hand. */
  field = 0;
  readonly #bytes: Buffer;
  #at = 0;
  #type = VARINT;
  #read = true;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Moves to the next field; false at the end. */
  next(): boolean {
    if (!this.#read) this.#skip();
    if (this.#at >= this.#bytes.length) return false;
    const tag = this.#varint();
    this.field = Math.floor(tag / 8);
    this.#type = tag % 8;
    this.#read = false;
    return true;
  }

  /** A number up to 2^53. */
  int(): number {
    this.#read = true;
    return this.#varint();
  }

  bool(): boolean {
    return this.int() !== 0;
  }

  /** A 64-bit number in decimal. */
  int64(): string {
    this.#read = true;
    let [value, shift] = [0n, 0n];
    for (;;) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, value).toString();
      shift += 7n;
    }
  }

  /** The bytes of a field or of a message within, not copied. */
  bytes(): Buffer {
    this.#read = true;
    const length = this.#varint();
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError('a protobuf field ends behind its message');
    const value = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return value;
  }

  string(): string {
    return this.bytes().toString();
  }

  #skip(): void {
    if (this.#type === VARINT) this.#varint();
    else if (this.#type === BYTES) this.bytes();
    else if (this.#type === FIXED64) this.#at += 8;
    else if (this.#type === FIXED32) this.#at += 4;
    else throw new RangeError(`a protobuf field of the unknown type ${this.#type}`);
  }

  #varint(): number {
    let [value, factor] = [0, 1];
    for (;;) {
      const byte = this.#byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 0x80;
    }
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new RangeError('a protobuf message ends within a field');
    return byte;
  }
}
