import { Worker } from 'node:worker_threads';
import { StoreUnavailableError } from '../store.ts';
import type { SqlStep, WriterAnswer, WriterRequest } from './sql-batch.ts';

const SQLITE_BUSY = 5;
const SQLITE_FULL = 13;

interface Waiting {
  readonly resolve: (answer: WriterAnswer & { readonly ok: true }) => void;
  readonly reject: (error: StoreUnavailableError) => void;
}

/** The database file's only writer: a thread of its own, asked by messages and answering in their order. */
export class SqliteWriter {
  /** Resolves when the thread ended although nobody closed it. */
  readonly died: Promise<StoreUnavailableError>;
  readonly #worker: Worker;
  readonly #waiting: Waiting[] = [];
  #closed = false;

  constructor() {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    this.#worker = new Worker(new URL(`./writer-thread.${extension}`, import.meta.url));
    this.#worker.on('message', (answer: WriterAnswer) => this.#settle(answer));
    // A write that waits for its answer keeps the process alive, an idle store does not.
    this.#worker.unref();
    this.died = new Promise((resolve) => {
      const end = (cause: unknown): void => {
        const error = new StoreUnavailableError('the thread that writes to the database ended', {
          uncertain: true,
          cause,
        });
        for (const { reject } of this.#waiting.splice(0)) reject(error);
        if (!this.#closed) resolve(error);
      };
      this.#worker.on('error', end);
      this.#worker.on('exit', (code) => end(new Error(`exit code ${code}`)));
    });
  }

  /** Opens the file; resolves with the highest row id in it. */
  async open(path: string): Promise<number> {
    return (await this.#ask({ type: 'open', path })).lastId;
  }

  /** Runs the steps in one transaction and resolves when it is on the disk; nothing of it happened when this rejects. */
  async run(steps: readonly SqlStep[]): Promise<void> {
    await this.#ask({ type: 'run', steps, begin: true, commit: true });
  }

  /** The same for more steps than should be in memory at once. */
  async runAll(batches: AsyncIterable<readonly SqlStep[]>): Promise<void> {
    let begin = true;
    for await (const steps of batches) {
      await this.#ask({ type: 'run', steps, begin, commit: false });
      begin = false;
    }
    await this.#ask({ type: 'run', steps: [], begin, commit: true });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    await this.#ask({ type: 'close' });
    this.#closed = true;
    await this.#worker.terminate();
  }

  #ask(request: WriterRequest): Promise<WriterAnswer & { readonly ok: true }> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.ref();
      this.#worker.postMessage(request);
    });
  }

  #settle(answer: WriterAnswer): void {
    const waiting = this.#waiting.shift();
    if (this.#waiting.length === 0) this.#worker.unref();
    if (answer.ok) waiting?.resolve(answer);
    else waiting?.reject(unavailable(answer.message, answer.errcode));
  }
}

/** The error for what SQLite says. */
function unavailable(message: string, errcode: number | undefined): StoreUnavailableError {
  const code = (errcode ?? 0) & 0xff;
  if (code === SQLITE_FULL)
    return new StoreUnavailableError('the disk is full: the write was not made', {
      hint: 'Free some space; nothing is lost.',
    });
  if (code === SQLITE_BUSY)
    return new StoreUnavailableError('another process has this store open', {
      hint: 'Stop the other cluster, or choose another state folder.',
    });
  return new StoreUnavailableError(`the database refuses: ${message}`, {
    hint: 'Look at the disk and its file system.',
  });
}
