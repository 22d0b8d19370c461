import { readFile } from 'node:fs/promises';
import type { Clock } from '../../kube/clock.ts';
import type { TextSource } from './api-connection.ts';

/** Files are read again after so many milliseconds: kubelets renew tokens, and cert-manager certificates, in place. */
const KEEP_MS = 60_000;

/** Reads text sources; what a file held is remembered for a minute, and longer while it cannot be read. */
export class TextReader {
  readonly #clock: Clock;
  readonly #read = new Map<string, { readonly text: string; readonly at: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Rejects with the error of the file system when a file could never be read. */
  async read(source: TextSource): Promise<string> {
    if ('text' in source) return source.text;
    const known = this.#read.get(source.file);
    const now = this.#clock.now();
    if (known !== undefined && now - known.at < KEEP_MS) return known.text;
    try {
      const text = await readFile(source.file, 'utf8');
      this.#read.set(source.file, { text, at: now });
      return text;
    } catch (error) {
      if (known === undefined) throw error;
      return known.text;
    }
  }

  /** Reads files anew the next time: what they held was refused. */
  forget(): void {
    for (const [file, { text }] of this.#read) this.#read.set(file, { text, at: Number.NEGATIVE_INFINITY });
  }
}
