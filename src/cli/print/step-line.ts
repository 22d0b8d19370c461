import { styled } from './style.ts';

/** One line on a terminal that always names the step that was last done; silent where the stream is no terminal. */
export class StepLine {
  readonly #stream: NodeJS.WriteStream;
  readonly #silent: boolean;
  #shown = false;

  constructor(stream: NodeJS.WriteStream, silent: boolean) {
    this.#stream = stream;
    this.#silent = silent || !stream.isTTY;
  }

  step(name: string, ms: number): void {
    if (this.#silent) return;
    this.#stream.write(`\r\x1b[K${styled('dim', `${String(ms).padStart(5)} ms`, this.#stream)}  ${name}`);
    this.#shown = true;
  }

  /** Removes the line. */
  done(): void {
    if (this.#shown) this.#stream.write('\r\x1b[K');
    this.#shown = false;
  }
}
