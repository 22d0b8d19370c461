import { Readable } from 'node:stream';
import type { Clock } from '../../kube/clock.ts';
import type { LogOptions } from '../../kube/kubelet-connection.ts';

/** The output streams of a process. */
export type OutputStream = 'stdout' | 'stderr';

interface LogLine {
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** Nanoseconds within the millisecond: keeps lines of one millisecond in order. */
  readonly nanoseconds: number;
  readonly stream: OutputStream;
  /** With its line end, if it has one. */
  readonly text: Buffer;
}

// What container runtimes hold back of a line that has not ended yet.
const MAX_LINE_BYTES = 16 * 1024;
const LINE_END = 10;

/** The output of one run of a container, line by line, kept in memory; the oldest lines go when it grows over its limit. */
export class ContainerLog {
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #lines: LogLine[] = [];
  readonly #rest = new Map<OutputStream, Buffer>();
  readonly #waiting = new Set<() => void>();
  /** Sequence number of #lines[0]. */
  #first = 0;
  #bytes = 0;
  #closed = false;

  constructor(clock: Clock, limitBytes: number) {
    this.#clock = clock;
    this.#limit = limitBytes;
  }

  /** Adds output; a line shows once it has ended or is 16 KiB long. */
  write(stream: OutputStream, chunk: Buffer | string): void {
    const added = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    const rest = this.#rest.get(stream);
    const data = rest === undefined ? added : Buffer.concat([rest, added]);
    let from = 0;
    while (from < data.length) {
      const end = data.indexOf(LINE_END, from);
      const next = end === -1 ? data.length : end + 1;
      const cut = Math.min(next, from + MAX_LINE_BYTES);
      if (end === -1 && cut - from < MAX_LINE_BYTES) break;
      this.#append(stream, data.subarray(from, cut));
      from = cut;
    }
    if (from < data.length) this.#rest.set(stream, data.subarray(from));
    else this.#rest.delete(stream);
    this.#wake();
  }

  /** No more output will come: an unfinished line shows, followers end. */
  close(): void {
    if (this.#closed) return;
    for (const [stream, text] of this.#rest) this.#append(stream, text);
    this.#rest.clear();
    this.#closed = true;
    this.#wake();
  }

  /** The last lines as text, at most `bytes` and `lines` of them: a termination message of policy FallbackToLogsOnError. */
  tail(bytes: number, lines: number): string {
    const text = Buffer.concat(this.#lines.slice(-lines).map((line) => line.text));
    return text.subarray(Math.max(0, text.length - bytes)).toString('utf8');
  }

  /** All of it so far in the order in which it came, with what is not a whole line yet. */
  *chunks(): Generator<{ readonly stream: OutputStream; readonly text: Buffer }> {
    yield* this.#lines;
    for (const [stream, text] of this.#rest) yield { stream, text };
  }

  /** Reads it as `kubectl logs` asks; with `follow` the stream goes on until close. */
  open(options: LogOptions): Readable {
    return Readable.from(this.#read(options), { objectMode: false });
  }

  async *#read(options: LogOptions): AsyncGenerator<Buffer> {
    const wanted = options.stream?.toLowerCase();
    let left = options.limitBytes ?? Number.POSITIVE_INFINITY;
    let next = this.#startOf(options);
    for (;;) {
      const batch: Buffer[] = [];
      for (next = Math.max(next, this.#first); next < this.#end && left > 0; next++) {
        const line = this.#lines[next - this.#first]!;
        if (wanted !== undefined && line.stream !== wanted) continue;
        const text = options.timestamps ? withTimestamp(line) : line.text;
        batch.push(text.subarray(0, left));
        left -= text.length;
      }
      if (batch.length > 0) yield Buffer.concat(batch);
      if (left <= 0 || !options.follow || (this.#closed && next >= this.#end)) return;
      if (next >= this.#end) await this.#more();
    }
  }

  #startOf({ tailLines, sinceSeconds, sinceTime }: LogOptions): number {
    const since = sinceSeconds === undefined ? Date.parse(sinceTime ?? '') : this.#clock.now() - sinceSeconds * 1000;
    let start = tailLines === undefined ? this.#first : Math.max(this.#first, this.#end - tailLines);
    while (start < this.#end && this.#lines[start - this.#first]!.time < since) start++;
    return start;
  }

  get #end(): number {
    return this.#first + this.#lines.length;
  }

  #append(stream: OutputStream, text: Buffer): void {
    const time = this.#clock.now();
    const last = this.#lines.at(-1);
    const nanoseconds = last?.time === time ? Math.min(last.nanoseconds + 1, 999_999) : 0;
    this.#lines.push({ time, nanoseconds, stream, text });
    this.#bytes += text.length;
    if (this.#bytes > this.#limit) this.#drop();
  }

  // A tenth at a time: taking lines off the front of an array one by one would move all others each time.
  #drop(): void {
    let count = 0;
    while (this.#bytes > this.#limit * 0.9 && count < this.#lines.length)
      this.#bytes -= this.#lines[count++]!.text.length;
    this.#lines.splice(0, count);
    this.#first += count;
  }

  #more(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

function withTimestamp({ time, nanoseconds, text }: LogLine): Buffer {
  const stamp = new Date(time).toISOString().slice(0, -1) + String(nanoseconds).padStart(6, '0');
  return Buffer.concat([Buffer.from(`${stamp}Z `), text]);
}
