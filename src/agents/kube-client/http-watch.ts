import type { IncomingMessage } from 'node:http';
import type { ListOptions, Watch, WatchEvent } from '../../kube/client.ts';
import type { Clock, Random } from '../../kube/clock.ts';
import type { Status } from '../../kube/generated/types.ts';
import type { KubeObject, ResourceType } from '../../kube/resources.ts';
import { ApiStatusError } from '../../kube/status.ts';
import { toStatusError } from './api-errors.ts';
import { apiPath, apiQuery } from './api-path.ts';
import type { ApiRequests } from './api-requests.ts';
import { backoffMs } from './backoff.ts';
import { LineSplitter } from './line-splitter.ts';

export interface HttpWatchOptions {
  readonly requests: ApiRequests;
  readonly clock: Clock;
  readonly random: Random;
  readonly type: ResourceType;
  readonly options: ListOptions;
  readonly resourceVersion: string;
  readonly onEvent: (event: WatchEvent) => void;
  readonly onEnd: (cause?: unknown) => void;
  /** Told why a connection could not be opened. */
  readonly onProblem: (error: unknown) => void;
}

/** The server ends a watch after five to ten minutes, so that those of many clients do not end together. */
const SHORTEST_SECONDS = 300;

/**
 * A watch that outlives its connections: it goes on after the last version it saw, bookmarks included, waiting longer after
 * each failure. It ends when its version is gone (410, told by an ERROR event), or when the server refuses it.
 */
export class HttpWatch implements Watch {
  readonly #options: HttpWatchOptions;
  #version: string;
  readonly #abort = new AbortController();
  #timer: Disposable | undefined;
  #failures = 0;
  #ended = false;

  constructor(options: HttpWatchOptions) {
    this.#options = options;
    this.#version = options.resourceVersion;
    void this.#connect();
  }

  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#timer?.[Symbol.dispose]();
    this.#abort.abort();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #connect(): Promise<void> {
    let response: IncomingMessage;
    try {
      response = await this.#options.requests.stream(this.#path(), this.#abort.signal);
    } catch (error) {
      if (!this.#ended) this.#refused(error);
      return;
    }
    this.#read(response);
  }

  #path(): string {
    const { type, options, random } = this.#options;
    const { namespace, labelSelector, fieldSelector } = options;
    const timeoutSeconds = Math.round(SHORTEST_SECONDS * (1 + random()));
    const query = { watch: true, allowWatchBookmarks: true, resourceVersion: this.#version, timeoutSeconds };
    return apiPath(type, { namespace }) + apiQuery({ ...query, labelSelector, fieldSelector });
  }

  #read(response: IncomingMessage): void {
    const lines = new LineSplitter();
    response.on('data', (chunk: Buffer) => {
      for (const line of lines.push(chunk)) if (!this.#ended) this.#line(line, response);
    });
    // A connection that breaks is told by an error as well; what counts is that it is over.
    response.on('error', () => {});
    response.on('close', () => this.#again());
  }

  #line(line: string, response: IncomingMessage): void {
    let event: WatchEvent;
    try {
      event = JSON.parse(line) as WatchEvent;
    } catch {
      // Cut in the middle, or no API server: what follows cannot be trusted.
      response.destroy();
      return;
    }
    if (event.type === 'ERROR') {
      this.#expired(event);
      return;
    }
    this.#failures = 0;
    this.#version = event.object.metadata?.resourceVersion ?? this.#version;
    this.#options.onEvent(event);
  }

  #expired(event: WatchEvent): void {
    const cause = toStatusError(event.object as unknown as Status);
    this.#options.onEvent(event);
    this.#end(cause);
  }

  #refused(error: unknown): void {
    if (!(error instanceof ApiStatusError) || isPassing(error)) {
      this.#options.onProblem(error);
      this.#again();
    } else if (error.status === 410) {
      this.#expired({ type: 'ERROR', object: error.toStatus() as unknown as KubeObject });
    } else {
      this.#options.onProblem(error);
      this.#end(error);
    }
  }

  #again(): void {
    if (this.#ended || this.#timer !== undefined) return;
    const { clock, random } = this.#options;
    this.#timer = clock.schedule(backoffMs(this.#failures++, random), () => {
      this.#timer = undefined;
      void this.#connect();
    });
  }

  #end(cause: unknown): void {
    if (this.#ended) return;
    this.close();
    this.#options.onEnd(cause);
  }
}

// A server that starts, stops or is busy. One that was set back to an older state says so, and has to be listed anew.
function isPassing({ status, details }: ApiStatusError): boolean {
  if (details?.causes?.some(({ reason }) => reason === 'ResourceVersionTooLarge')) return false;
  return status === 429 || status >= 500;
}
