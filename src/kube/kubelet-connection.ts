import type { Duplex, Readable, Writable } from 'node:stream';
import type { Pod } from './generated/types.ts';
import type { NodeRequest, NodeResponse } from './node-proxy.ts';

/** What `kubectl logs` may ask for, as PodLogOptions. */
export interface LogOptions {
  /** Keep the stream open and send what is written later, until the container ends. */
  readonly follow?: boolean | undefined;
  /** The instance of the container before the running one. */
  readonly previous?: boolean | undefined;
  /** Only lines written in the last so many seconds; never set together with sinceTime. */
  readonly sinceSeconds?: number | undefined;
  /** Only lines written at or after this RFC 3339 time. */
  readonly sinceTime?: string | undefined;
  /** Put an RFC 3339 time with nanoseconds and a space before each line. */
  readonly timestamps?: boolean | undefined;
  /** Only so many lines from the end; 0 means none. */
  readonly tailLines?: number | undefined;
  /** Stop after so many bytes. */
  readonly limitBytes?: number | undefined;
  /** One of the two streams, or both interleaved when absent. */
  readonly stream?: 'Stdout' | 'Stderr' | undefined;
}

/** Columns and rows of the client's terminal. */
export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

/** The streams of one exec or attach; an absent stream was not asked for. */
export interface ProcessStreams {
  /** Ends when the client closes its standard input. */
  readonly stdin?: Readable | undefined;
  /** With a tty it carries both outputs. The kubelet ends neither; the API server closes them after the promise settles. */
  readonly stdout?: Writable | undefined;
  readonly stderr?: Writable | undefined;
  readonly tty: boolean;
  /** Sizes as the client's window changes; the first comes soon after the start. Only with a tty. */
  readonly resize?: AsyncIterable<TerminalSize> | undefined;
  /** Aborted when the client is gone: an exec's process is then killed, an attach only let go. */
  readonly signal: AbortSignal;
}

export interface ExecOptions extends ProcessStreams {
  readonly command: readonly string[];
}

/** How a process ended; a signal shows as 128 + its number. */
export interface ExitStatus {
  readonly exitCode: number;
}

/**
 * What the API server asks of the kubelet of a pod's node. Every method rejects with an ApiStatusError when the pod or
 * container cannot serve it (BadRequest: `container "c" in pod "p" is waiting to start: ContainerCreating`); `container`
 * is always filled in and names a container, init container or ephemeral container of the pod.
 */
export interface KubeletConnection {
  /** Resolves when the log is open, so that refusals still become a status code; destroying the stream stops a follow. */
  logs(pod: Pod, container: string, options: LogOptions): Promise<Readable>;
  /** Runs a command in the container; resolves when it has ended and its output is written. */
  exec(pod: Pod, container: string, options: ExecOptions): Promise<ExitStatus>;
  /** Joins the container's main process; resolves when that ends or the signal aborts. */
  attach(pod: Pod, container: string, streams: ProcessStreams): Promise<ExitStatus>;
  /** A connection to this port on the pod's own loopback; rejects when nothing listens there. */
  portForward(pod: Pod, port: number): Promise<Duplex>;
  /** The HTTP interface of a node's kubelet (`nodes/NAME/proxy/...`); rejects with ApiStatusError when there is no such node. */
  request?(node: string, request: NodeRequest): Promise<NodeResponse>;
}
