const EMPTY = Buffer.alloc(0);
/** Characters that are written one by one before a call of Node's would have begun. */
const SHORT = 64;

/** Copies bytes behind each other into one buffer: thousands of small ones cost more than what is in them. */
export class GatheredBytes {
  readonly #size: number;
  #buffer = EMPTY;
  #length = 0;

  /** `size` is about how much is gathered before it is taken. */
  constructor(size: number) {
    this.#size = size;
  }

  get length(): number {
    return this.#length;
  }

  append(bytes: Buffer, from: number, to: number): void {
    this.#reserve(to - from);
    this.#length += bytes.copy(this.#buffer, this.#length, from, to);
  }

  /** Characters up to 255. */
  appendText(text: string): void {
    this.#reserve(text.length);
    const buffer = this.#buffer;
    const at = this.#length;
    if (text.length > SHORT) buffer.write(text, at, 'latin1');
    else for (let i = 0; i < text.length; i++) buffer[at + i] = text.charCodeAt(i);
    this.#length += text.length;
  }

  /** Any characters. */
  appendUtf8(text: string): void {
    this.#reserve(Buffer.byteLength(text));
    this.#length += this.#buffer.write(text, this.#length);
  }

  /** What was gathered; nothing of it is left here. */
  take(): Buffer {
    const taken = this.#buffer.subarray(0, this.#length);
    this.#buffer = EMPTY;
    this.#length = 0;
    return taken;
  }

  /** The same, for as long as nothing else is gathered: the next bytes go where these are. */
  borrow(): Buffer {
    const borrowed = this.#buffer.subarray(0, this.#length);
    this.#length = 0;
    return borrowed;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#size, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}
