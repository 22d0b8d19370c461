import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';

export interface AskOptions {
  readonly port: number;
  readonly host?: string;
  /** Address to ask from. */
  readonly from?: string;
  readonly timeout?: number;
}

/** Sends one packet over UDP and resolves with the reply, or undefined when none came in time. */
export async function askUdp(packet: Uint8Array, options: AskOptions): Promise<Buffer | undefined> {
  const socket = createSocket('udp4');
  socket.bind(0, options.from);
  await once(socket, 'listening');
  try {
    socket.send(packet, options.port, options.host ?? '127.0.0.1');
    const [reply] = (await once(socket, 'message', {
      signal: AbortSignal.timeout(options.timeout ?? 2000),
    })) as [Buffer];
    return reply;
  } catch (error) {
    if ((error as Error).name === 'AbortError') return undefined;
    throw error;
  } finally {
    socket.close();
  }
}

/** Sends one message over TCP, half-closes, and resolves with all messages that came back. */
export async function askTcp(packet: Uint8Array, options: AskOptions): Promise<readonly Buffer[]> {
  const socket = connect({
    port: options.port,
    host: options.host ?? '127.0.0.1',
    ...(options.from === undefined ? {} : { localAddress: options.from }),
  });
  socket.end(frame(packet));
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  await once(socket, 'close');
  return splitFrames(Buffer.concat(chunks));
}

/** A message with its two length bytes. */
export function frame(packet: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([packet.length >> 8, packet.length & 0xff]), packet]);
}

/** The messages of a TCP stream. */
export function splitFrames(stream: Buffer): readonly Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at + 2 <= stream.length; ) {
    const end = at + 2 + stream.readUInt16BE(at);
    frames.push(stream.subarray(at + 2, end));
    at = end;
  }
  return frames;
}
