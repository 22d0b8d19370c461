const SIZE = 1 << 18;
const LARGEST = 0xffff;

/**
 * Where replies are written before they are sent. A send may finish later, so places are not used again until the ring
 * has come round with an empty send queue.
 */
export class ReplyRing {
  bytes = Buffer.allocUnsafeSlow(SIZE);
  at = 0;
  readonly #queued: () => number;

  /** `queued` tells how many bytes the socket has yet to send. */
  constructor(queued: () => number) {
    this.#queued = queued;
  }

  /** Makes room for the largest message behind `at`. */
  reserve(): void {
    if (this.at + LARGEST <= SIZE) return;
    if (this.#queued() > 0) this.bytes = Buffer.allocUnsafeSlow(SIZE);
    this.at = 0;
  }

  /** Takes the bytes just written. */
  take(length: number): Buffer {
    const reply = this.bytes.subarray(this.at, this.at + length);
    this.at += length;
    return reply;
  }
}
