import type { ServerResponse } from 'node:http';

const CRLF = '\r\n';

/** One event of a watch as a chunk of HTTP/1.1, ready to be written to any number of connections. */
export function eventFrame(type: string, object: Buffer): Buffer {
  const start = `{"type":"${type}","object":`;
  const length = start.length + object.length + 2;
  const frame = Buffer.allocUnsafe(length.toString(16).length + length + 2 * CRLF.length);
  let at = frame.write(`${length.toString(16)}${CRLF}${start}`, 'latin1');
  at += object.copy(frame, at);
  frame.write(`}\n${CRLF}`, at, 'latin1');
  return frame;
}

// What is inside the chunk: for clients of HTTP/1.0.
const contentOf = (frame: Buffer): Buffer => frame.subarray(frame.indexOf(CRLF) + CRLF.length, -CRLF.length);

/**
 * Writes events to one client: those of one turn of the event loop at once, past the response, whose framing in three pieces
 * costs more than all the rest of an event.
 */
export class EventWriter {
  readonly #response: ServerResponse;
  readonly #isChunked: boolean;
  readonly #onWritten: (buffered: number) => void;
  #waiting: Buffer[] = [];

  /** Sends the head of the answer. `onWritten` is told how many bytes the client has not taken yet. */
  constructor(response: ServerResponse, onWritten: (buffered: number) => void) {
    this.#response = response;
    this.#onWritten = onWritten;
    this.#isChunked = response.req.httpVersion === '1.1';
    if (this.#isChunked) response.setHeader('transfer-encoding', 'chunked');
    response.setHeader('content-type', 'application/json');
    response.writeHead(200);
    response.flushHeaders();
  }

  write(frame: Buffer): void {
    if (this.#waiting.push(frame) === 1) flushSoon(this);
  }

  /** Writes what has gathered since the last turn. */
  flush(): void {
    if (this.#waiting.length === 0) return;
    const frames = this.#waiting;
    this.#waiting = [];
    if (this.#response.destroyed) return;
    const { socket } = this.#response;
    // Without a connection another answer is still on its way there: this one waits inside the response.
    if (this.#isChunked && socket) socket.write(joined(frames));
    else for (const frame of frames) this.#response.write(contentOf(frame));
    this.#onWritten(this.#response.writableLength);
  }

  /** Calls back when the client has taken what was written, in a later turn of the event loop. */
  whenTaken(run: () => void): void {
    this.flush();
    const way = this.#response.socket ?? this.#response;
    if (way.writableNeedDrain) way.once('drain', run);
    else setImmediate(run);
  }

  /** Ends the answer behind everything that was written. */
  end(): void {
    this.flush();
    this.#response.end();
  }
}

let writers: EventWriter[] = [];

function flushSoon(writer: EventWriter): void {
  if (writers.push(writer) === 1) setImmediate(flushAll);
}

function flushAll(): void {
  const due = writers;
  writers = [];
  for (const writer of due) writer.flush();
  last = NOTHING;
}

interface Joined {
  readonly frames: readonly Buffer[];
  readonly bytes: Buffer;
}
const NOTHING: Joined = { frames: [], bytes: Buffer.alloc(0) };
// Most watches of a turn have the same to tell.
let last = NOTHING;

function joined(frames: readonly Buffer[]): Buffer {
  if (frames.length === 1) return frames[0]!;
  const isSame = frames.length === last.frames.length && frames.every((frame, i) => frame === last.frames[i]);
  if (!isSame) last = { frames, bytes: Buffer.concat(frames) };
  return last.bytes;
}
