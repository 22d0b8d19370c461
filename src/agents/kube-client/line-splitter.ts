const NEWLINE = 0x0a;

/** Cuts a stream of bytes into lines; `push` returns those that are whole. Empty lines are left out. */
export class LineSplitter {
  #parts: Buffer[] = [];

  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    let begin = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, begin)) {
      this.#parts.push(chunk.subarray(begin, end));
      const line = Buffer.concat(this.#parts).toString();
      this.#parts = [];
      if (line.trim() !== '') lines.push(line);
      begin = end + 1;
    }
    if (begin < chunk.length) this.#parts.push(chunk.subarray(begin));
    return lines;
  }
}
