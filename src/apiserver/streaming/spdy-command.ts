import type { Duplex, Writable } from 'node:stream';
import type { Status } from '../../kube/generated/types.ts';
import type { TerminalSize } from '../../kube/kubelet-connection.ts';
import { AsyncQueue } from './async-queue.ts';
import { type CommandChannels, type CommandStreams, parseTerminalSize } from './command-channels.ts';
import { SpdySession } from './spdy/spdy-session.ts';
import type { SpdyStream } from './spdy/spdy-stream.ts';

/** Subprotocols of exec and attach over SPDY, the best first. */
export const SPDY_COMMAND_PROTOCOLS = [
  'v4.channel.k8s.io',
  'v3.channel.k8s.io',
  'v2.channel.k8s.io',
  'channel.k8s.io',
] as const;

const OPEN_MS = 30_000;

interface Options {
  readonly socket: Duplex;
  readonly protocol: string;
  readonly streams: CommandStreams;
}

/** Waits for the streams that the client opens; undefined when it goes away or takes longer than 30 seconds. */
export function openSpdyCommand({ socket, protocol, streams }: Options): Promise<CommandChannels | undefined> {
  const wanted = expectedTypes(streams, protocol);
  const opened = new Map<string, SpdyStream>();
  const gone = new AbortController();
  return new Promise((resolve) => {
    const timer = setTimeout(() => session.close(), OPEN_MS);
    const session = new SpdySession(socket, {
      onStream: (stream) => {
        const type = stream.headers['streamtype'] ?? '';
        if (!wanted.has(type) || opened.has(type)) {
          stream.destroy();
          return;
        }
        opened.set(type, stream);
        if (opened.size < wanted.size) return;
        clearTimeout(timer);
        resolve(channelsOf(session, opened, protocol, gone.signal));
      },
      onClose: () => {
        clearTimeout(timer);
        gone.abort();
        resolve(undefined);
      },
    });
  });
}

function expectedTypes({ stdin, stdout, stderr, tty }: CommandStreams, protocol: string): ReadonlySet<string> {
  const types = ['error'];
  if (stdin) types.push('stdin');
  if (stdout) types.push('stdout');
  if (stderr && !tty) types.push('stderr');
  if (tty && (protocol.startsWith('v3') || protocol.startsWith('v4'))) types.push('resize');
  return new Set(types);
}

function channelsOf(
  session: SpdySession,
  streams: ReadonlyMap<string, SpdyStream>,
  protocol: string,
  signal: AbortSignal,
): CommandChannels {
  const error = streams.get('error')!;
  const resize = streams.get('resize');
  const outputs = [streams.get('stdout'), streams.get('stderr')].flatMap((stream) => stream ?? []);
  return {
    stdin: streams.get('stdin'),
    stdout: streams.get('stdout'),
    stderr: streams.get('stderr'),
    resize: resize && readSizes(resize),
    signal,
    finish: (status) => {
      const text = printStatus(status, protocol);
      const ends = outputs.map((stream) => ended(stream));
      ends.push(ended(error, text));
      void Promise.all(ends).then(() => session.close());
    },
  };
}

function printStatus(status: Status, protocol: string): string {
  if (protocol.startsWith('v4')) return JSON.stringify(status);
  return status.status === 'Success' ? '' : (status.message ?? 'error');
}

function ended(stream: Writable, text?: string): Promise<void> {
  return new Promise((resolve) => {
    stream.once('close', resolve);
    if (text) stream.end(text, resolve);
    else stream.end(resolve);
    if (stream.destroyed) resolve();
  });
}

// A stream of JSON objects one after the other.
function readSizes(stream: SpdyStream): AsyncIterable<TerminalSize> {
  const queue = new AsyncQueue<TerminalSize>();
  let text = '';
  stream.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    for (let end = text.indexOf('}'); end !== -1; end = text.indexOf('}')) {
      const size = parseTerminalSize(text.slice(0, end + 1));
      if (size) queue.push(size);
      text = text.slice(end + 1);
    }
    if (text.length > 1024) text = '';
  });
  stream.on('close', () => queue.end());
  stream.on('end', () => queue.end());
  return queue;
}
