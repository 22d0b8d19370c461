/** A message ends too early or is no protobuf; the texts are those of Go's generated decoders. */
export class WireError extends Error {}

/** Reads protobuf's wire format: tags, varints, length-delimited parts. */
export class WireReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** Field number and wire type of what comes next. */
  tag(): { readonly number: number; readonly wireType: number } {
    const tag = Number(this.varint());
    const number = Math.floor(tag / 8);
    if (number < 1 || number > 0x1fffffff) throw new WireError(`proto: illegal tag ${number} (wire type ${tag & 7})`);
    return { number, wireType: tag & 7 };
  }

  /** An unsigned varint of up to 64 bits. */
  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new WireError('unexpected EOF');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new WireError('proto: integer overflow');
  }

  double(): number {
    return this.#take(8).readDoubleLE();
  }

  /** A length and that many bytes, not copied. */
  bytes(): Buffer {
    const length = this.varint();
    if (length > BigInt(this.#bytes.length - this.#at)) throw new WireError('unexpected EOF');
    return this.#take(Number(length));
  }

  /** Moves over a value that nobody asks for. */
  skip(wireType: number): void {
    if (wireType === 0) this.varint();
    else if (wireType === 1) this.#take(8);
    else if (wireType === 2) this.bytes();
    else if (wireType === 5) this.#take(4);
    else throw new WireError(`proto: illegal wireType ${wireType}`);
  }

  #take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw new WireError('unexpected EOF');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}
