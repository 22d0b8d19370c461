import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type NetworkNamespace, netnsDirectory } from '../network-namespace.ts';
import type { AttachTask, KernelTask, KernelThreadMessage, RunTask, TaskAnswer, TaskResults } from './messages.ts';

export interface KernelThreadOptions {
  /** How many tasks it leaves to whoever asks before it starts: a small cluster does without the thread's megabytes. */
  readonly startsAfter: number;
  /** Told when the thread ended by a fault; what it was to do is done without it from then on. */
  readonly onDied: (error: unknown) => void;
}

// In the bundle all files lie beside each other as JavaScript.
const ENTRY = import.meta.url.endsWith('.ts') ? './kernel-thread.ts' : './kernel-thread.js';

/**
 * The thread that waits in the kernel while others work: making a pod's namespace and links and starting a program from a
 * large process take milliseconds each, most of which is waiting for locks of the kernel.
 */
export class KernelThread implements AsyncDisposable {
  readonly #options: KernelThreadOptions;
  readonly #waiting: ((answer: TaskAnswer) => void)[] = [];
  #worker: Worker | undefined;
  #asked = 0;
  #hasEnded = false;

  constructor(options: KernelThreadOptions) {
    this.#options = options;
    if (options.startsAfter === 0) this.#worker = this.#start();
  }

  /** Whether it finds this namespace: those that have a name of their own. */
  static finds({ path, place }: NetworkNamespace): boolean {
    return place === undefined && path.startsWith(netnsDirectory);
  }

  /** Does a task in its turn; resolves with undefined when it could not: done in this thread, it tells why. */
  async do(task: AttachTask): Promise<TaskResults['attach'] | undefined>;
  async do(task: RunTask): Promise<TaskResults['run'] | undefined>;
  async do(task: KernelTask): Promise<TaskAnswer['result']> {
    if (this.#hasEnded || ++this.#asked <= this.#options.startsAfter) return undefined;
    this.#worker ??= this.#start();
    const answer = new Promise<TaskAnswer>((resolve) => this.#waiting.push(resolve));
    // A task keeps the process alive, an idle thread does not.
    if (this.#waiting.length === 1) this.#worker.ref();
    this.#worker.postMessage(task satisfies KernelThreadMessage);
    return (await answer).result;
  }

  /** Ends the thread after what was asked of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#hasEnded = true;
    if (this.#worker === undefined || this.#worker.threadId === -1) return;
    this.#worker.ref();
    const ended = once(this.#worker, 'exit');
    this.#worker.postMessage({ kind: 'end' } satisfies KernelThreadMessage);
    await ended;
  }

  #start(): Worker {
    const worker = new Worker(new URL(ENTRY, import.meta.url), {
      execArgv: [],
      // Little is kept, so that a small nursery does.
      resourceLimits: { maxYoungGenerationSizeMb: 2 },
      // The namespaces that it makes belong to others.
      trackUnmanagedFds: false,
    });
    worker.on('message', (answer: TaskAnswer) => this.#settle(answer));
    worker.on('error', (error) => this.#end(error));
    worker.on('exit', (code) => this.#end(new Error(`the thread for kernel calls ended with code ${code}`)));
    worker.unref();
    return worker;
  }

  #settle(answer: TaskAnswer): void {
    this.#waiting.shift()?.(answer);
    if (this.#waiting.length === 0) this.#worker?.unref();
  }

  #end(error: unknown): void {
    if (!this.#hasEnded) this.#options.onDied(error);
    this.#hasEnded = true;
    for (const resolve of this.#waiting.splice(0)) resolve({ result: undefined });
  }
}
