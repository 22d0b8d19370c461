const VARINT = 0;
const BYTES = 2;

/** Writes one protobuf message: fields with a default value are left out, as proto3 does. */
export class ProtobufWriter {
  #bytes = Buffer.allocUnsafe(256);
  #length = 0;

  /** A copy-free view of what was written so far. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  bool(field: number, value: boolean): this {
    return value ? this.#tag(field, VARINT).#varint(1) : this;
  }

  /** A whole number from 0 to 2^53. */
  int(field: number, value: number): this {
    return value === 0 ? this : this.#tag(field, VARINT).#varint(value);
  }

  /** The same where the field says by its presence which of several it is. */
  oneofInt(field: number, value: number): this {
    return this.#tag(field, VARINT).#varint(value);
  }

  /** A 64-bit number in decimal. */
  int64(field: number, decimal: string): this {
    let rest = BigInt.asUintN(64, BigInt(decimal));
    if (rest === 0n) return this;
    this.#tag(field, VARINT);
    for (; rest > 0x7fn; rest >>= 7n) this.#byte(Number(rest & 0x7fn) | 0x80);
    return this.#byte(Number(rest));
  }

  bytes(field: number, value: Uint8Array): this {
    return value.length === 0 ? this : this.message(field, value);
  }

  string(field: number, value: string): this {
    if (value === '') return this;
    const length = Buffer.byteLength(value);
    this.#tag(field, BYTES).#varint(length).#reserve(length);
    this.#length += this.#bytes.write(value, this.#length);
    return this;
  }

  /** A message within, which is there even when it is empty. */
  message(field: number, encoded: Uint8Array): this {
    this.#tag(field, BYTES).#varint(encoded.length).#reserve(encoded.length);
    this.#bytes.set(encoded, this.#length);
    this.#length += encoded.length;
    return this;
  }

  #tag(field: number, type: number): this {
    return this.#varint(field * 8 + type);
  }

  #varint(value: number): this {
    this.#reserve(10);
    let rest = value;
    while (rest > 0x7f) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#length++] = rest;
    return this;
  }

  #byte(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.finish());
    this.#bytes = larger;
  }
}
