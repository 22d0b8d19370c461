import { Readable, Writable } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Status } from '../../kube/generated/types.ts';
import type { TerminalSize } from '../../kube/kubelet-connection.ts';
import { AsyncQueue } from './async-queue.ts';
import { type CommandChannels, type CommandStreams, parseTerminalSize } from './command-channels.ts';

/** Subprotocols of exec and attach over WebSocket, the best first. */
export const WEBSOCKET_COMMAND_PROTOCOLS = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v4.base64.channel.k8s.io',
  'channel.k8s.io',
  'base64.channel.k8s.io',
] as const;

const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

/** The channels of a WebSocket: the first byte of each message is the channel's number. */
export function openWebSocketCommand(socket: WebSocket, streams: CommandStreams): CommandChannels {
  const codec = socket.protocol.includes('base64') ? base64Codec : binaryCodec;
  const gone = new AbortController();
  const resize = new AsyncQueue<TerminalSize>();
  const stdin = streams.stdin ? new Readable({ read: () => socket.resume() }) : undefined;
  const output = (number: number): Writable =>
    new Writable({
      write: (chunk: Buffer, _encoding, done) => socket.send(codec.encode(number, chunk), (error) => done(error)),
    });
  socket.on('message', (message: Buffer) => {
    const [number, data] = codec.decode(message);
    if (number === channel.stdin && stdin?.push(data) === false) socket.pause();
    else if (number === channel.close && data[0] === channel.stdin) stdin?.push(null);
    else if (number === channel.resize) {
      const size = parseTerminalSize(data.toString());
      if (size) resize.push(size);
    }
  });
  socket.on('close', () => {
    gone.abort();
    resize.end();
    stdin?.push(null);
  });
  socket.on('error', () => socket.terminate());
  const versioned = socket.protocol.startsWith('v');
  return {
    stdin,
    stdout: streams.stdout ? output(channel.stdout) : undefined,
    stderr: streams.stderr && !streams.tty ? output(channel.stderr) : undefined,
    resize: streams.tty ? resize : undefined,
    signal: gone.signal,
    finish: (status: Status) => {
      const text = versioned ? JSON.stringify(status) : status.status === 'Success' ? '' : (status.message ?? 'error');
      if (text !== '') socket.send(codec.encode(channel.error, Buffer.from(text)));
      socket.close(1000);
    },
  };
}

interface Codec {
  encode(number: number, data: Buffer): Buffer | string;
  decode(message: Buffer): readonly [number: number, data: Buffer];
}

const binaryCodec: Codec = {
  encode: (number, data) => Buffer.concat([Buffer.from([number]), data]),
  decode: (message) => [message[0] ?? -1, message.subarray(1)],
};

// The channel is a digit, the data base64: for clients that can only send text.
const base64Codec: Codec = {
  encode: (number, data) => `${number}${data.toString('base64')}`,
  decode: (message) => [Number(message.toString('latin1', 0, 1)), Buffer.from(message.toString('latin1', 1), 'base64')],
};
