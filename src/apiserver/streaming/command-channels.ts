import type { Readable, Writable } from 'node:stream';
import type { Status } from '../../kube/generated/types.ts';
import type { TerminalSize } from '../../kube/kubelet-connection.ts';

/** What a client asks of a container: which streams, and whether they are a terminal. */
export interface CommandStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** The client's end of an exec or attach, whatever protocol carries it. */
export interface CommandChannels {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  readonly resize: AsyncIterable<TerminalSize> | undefined;
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
  /** Tells how it ended and closes everything, after what was written has been sent. */
  finish(status: Status): void;
}

/** Reads `{"Width":80,"Height":24}`; undefined for anything else. */
export function parseTerminalSize(text: string): TerminalSize | undefined {
  try {
    const { Width, Height } = JSON.parse(text) as { readonly Width?: unknown; readonly Height?: unknown };
    if (typeof Width === 'number' && typeof Height === 'number') return { width: Width, height: Height };
  } catch {
    // What a client sends here that is no size is not worth the session: the real server ignores it as well.
  }
  return undefined;
}
