import { type ErrorCode, TowtankError, UserError } from '../../errors/towtank-error.ts';
import type { WireError } from './protocol.ts';

/** One frame: channel (1 byte), length (4 bytes, big endian), payload. */
export function encodeFrame(channel: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(5 + payload.length);
  frame.writeUInt8(channel, 0);
  frame.writeUInt32BE(payload.length, 1);
  frame.set(payload, 5);
  return frame;
}

/** Cuts a byte stream into frames; what is not complete waits for more. */
export class FrameDecoder {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): readonly { readonly channel: number; readonly payload: Buffer }[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: { channel: number; payload: Buffer }[] = [];
    while (this.#rest.length >= 5) {
      const end = 5 + this.#rest.readUInt32BE(1);
      if (this.#rest.length < end) break;
      frames.push({ channel: this.#rest.readUInt8(0), payload: this.#rest.subarray(5, end) });
      this.#rest = this.#rest.subarray(end);
    }
    return frames;
  }
}

/** Turns an error into what crosses the socket; the cause chain becomes part of the message. */
export function toWire(error: unknown): WireError {
  if (error instanceof TowtankError) return { code: error.code, message: error.message, hint: error.hint };
  return { code: 'ERR_INTERNAL', message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}

/** The error that toWire read: a UserError again, unless it was a bug. */
export function fromWire(error: WireError): TowtankError {
  const options = { code: error.code as ErrorCode, message: error.message, hint: error.hint };
  return error.code === 'ERR_INTERNAL' ? new TowtankError(options) : new UserError(options);
}
