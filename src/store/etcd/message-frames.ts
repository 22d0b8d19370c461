/** One byte that says whether it is compressed, four for the length. */
const HEAD = 5;

/** A message as gRPC puts it into a body. */
export function encodeMessageFrame(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEAD + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, HEAD);
  return frame;
}

/** Cuts a body into its messages, however it is cut into chunks. */
export class MessageFrames {
  #chunks: Buffer[] = [];
  #length = 0;

  /** Takes a chunk and returns the messages that are whole now. Throws RangeError for a compressed one: none is asked for. */
  push(chunk: Buffer): Buffer[] {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    const messages: Buffer[] = [];
    for (;;) {
      const head = this.#length < HEAD ? undefined : this.#front(HEAD);
      if (head === undefined) return messages;
      if (head[0] !== 0) throw new RangeError('a compressed message');
      const end = HEAD + head.readUInt32BE(1);
      if (this.#length < end) return messages;
      const front = this.#front(end);
      messages.push(front.subarray(HEAD, end));
      this.#length -= end;
      this.#chunks = this.#length === 0 ? [] : [front.subarray(end), ...this.#chunks.slice(1)];
    }
  }

  // The first chunk, holding at least `length` bytes: a large message is put together once, when all of it is there.
  #front(length: number): Buffer {
    const first = this.#chunks[0]!;
    if (first.length >= length) return first;
    const whole = Buffer.concat(this.#chunks);
    this.#chunks = [whole];
    return whole;
  }
}
