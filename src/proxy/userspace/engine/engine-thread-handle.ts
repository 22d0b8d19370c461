import { closeSync, writeSync } from 'node:fs';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { Connection, TransportLimits } from '../transport.ts';
import { EFD_CLOEXEC, EFD_NONBLOCK } from './constants.ts';
import { createDescriptorTable, type DescriptorTable } from './descriptors.ts';
import { check } from './engine-error.ts';
import type { EngineAnswer, EngineMessage, EngineReport, EngineStart, SocketClients } from './messages.ts';
import type { System } from './system.ts';

export interface EngineThreadOptions {
  readonly limits: TransportLimits;
  readonly isLocal: boolean;
  readonly onReport: (report: Exclude<EngineReport, EngineAnswer>) => void;
  /** Told when the thread ended by a fault. */
  readonly onDied: (error: unknown) => void;
}

const ONE = Buffer.from(BigUint64Array.of(1n).buffer);
// In the bundle all files lie beside each other as JavaScript.
const ENTRY = import.meta.url.endsWith('.ts') ? './engine-thread.ts' : './engine-thread.js';

/** A thread with an event loop, as the main thread sees it. */
export class EngineThread {
  readonly #wake: number;
  readonly #port: MessagePort;
  readonly #descriptors: DescriptorTable = createDescriptorTable();
  readonly #ended = Promise.withResolvers<void>();
  readonly #requests = new Map<number, (answer: EngineAnswer | undefined) => void>();
  readonly #options: EngineThreadOptions;
  #request = 0;
  #isRunning = true;

  constructor(system: System, options: EngineThreadOptions) {
    this.#options = options;
    this.#wake = check(system, 'eventfd', system.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.on('message', (report: EngineReport) => this.#report(report));
    port1.unref();
    const { limits, isLocal } = options;
    const start: EngineStart = { wake: this.#wake, limits, isLocal, descriptors: this.#descriptors };
    const worker = this.#startWorker(start, port2);
    worker.unref();
    worker.on('error', (error) => this.#end(error));
    worker.on('exit', (code) => this.#end(code === 0 ? undefined : new Error(`a thread ended with code ${code}`)));
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Resolves when the thread is over. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Sends a message and wakes the thread, which waits in the kernel. */
  send(message: EngineMessage): void {
    if (!this.#isRunning) return;
    this.#port.postMessage(message);
    writeSync(this.#wake, ONE);
  }

  /** The connections that it carries; none once it is over. */
  async list(): Promise<readonly Connection[]> {
    const answer = await this.#ask('list');
    return answer?.kind === 'connections' ? answer.connections : [];
  }

  /** Lets it accept and receive nothing for a while; resolves with what it knows of clients when it does not any more. */
  async pause(): Promise<readonly SocketClients[]> {
    const answer = await this.#ask('pause');
    return answer?.kind === 'paused' ? answer.clients : [];
  }

  /** Closes what the thread left open when it died, except for these descriptors. */
  closeLeftovers(except: ReadonlySet<number>): void {
    for (let fd = this.#descriptors.indexOf(1); fd !== -1; fd = this.#descriptors.indexOf(1, fd + 1)) {
      this.#descriptors[fd] = 0;
      if (!except.has(fd)) closeSync(fd);
    }
  }

  // Throws where the process has no descriptors for another loop.
  #startWorker(start: EngineStart, port: MessagePort): Worker {
    try {
      return new Worker(new URL(ENTRY, import.meta.url), {
        workerData: { start, port },
        transferList: [port],
        execArgv: [],
        // Connections live long or die young: a small nursery costs little and spares tens of megabytes.
        resourceLimits: { maxYoungGenerationSizeMb: 6 },
        // The engine closes what it opens, and by then another thread may have the number.
        trackUnmanagedFds: false,
      });
    } catch (error) {
      this.#port.close();
      closeSync(this.#wake);
      throw error;
    }
  }

  #ask(kind: 'list' | 'pause'): Promise<EngineAnswer | undefined> {
    if (!this.#isRunning) return Promise.resolve(undefined);
    const request = ++this.#request;
    return new Promise((resolve) => {
      this.#requests.set(request, resolve);
      this.send({ kind, request });
    });
  }

  #report(report: EngineReport): void {
    if (!('request' in report)) {
      this.#options.onReport(report);
      return;
    }
    this.#requests.get(report.request)?.(report);
    this.#requests.delete(report.request);
  }

  #end(error?: unknown): void {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    this.#port.close();
    closeSync(this.#wake);
    for (const resolve of this.#requests.values()) resolve(undefined);
    this.#requests.clear();
    if (error !== undefined) this.#options.onDied(error);
    this.#ended.resolve();
  }
}
