import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { asStatusError } from '../http/send-reply.ts';
import type { Dial } from './dial.ts';

/**
 * Port-forward as older WebSocket clients speak it: channel 2i carries the data of port i, 2i+1 its errors, and the first
 * message of each channel is the port's number in two bytes, the low one first.
 */
export function forwardWebSocketChannels(socket: WebSocket, ports: readonly number[], dial: Dial): void {
  const base64 = socket.protocol.includes('base64');
  const send = (channel: number, data: Buffer): void => {
    socket.send(base64 ? `${channel}${data.toString('base64')}` : Buffer.concat([Buffer.from([channel]), data]));
  };
  const connections = ports.map((port, i) => {
    const number = Buffer.from([port & 0xff, port >> 8]);
    send(2 * i, number);
    send(2 * i + 1, number);
    return connect(port, i, dial, send);
  });
  socket.on('message', (message: Buffer) => {
    const channel = base64 ? Number(message.toString('latin1', 0, 1)) : (message[0] ?? -1);
    const data = base64 ? Buffer.from(message.toString('latin1', 1), 'base64') : message.subarray(1);
    if (channel % 2 === 0) void connections[channel / 2]?.then((connection) => connection?.write(data));
  });
  socket.on('close', () => {
    for (const connection of connections) void connection.then((open) => open?.destroy());
  });
  socket.on('error', () => socket.terminate());
}

async function connect(
  port: number,
  index: number,
  dial: Dial,
  send: (channel: number, data: Buffer) => void,
): Promise<Duplex | undefined> {
  const fail = (error: unknown): void =>
    send(2 * index + 1, Buffer.from(`error forwarding port ${port} to pod: ${asStatusError(error).message}`));
  try {
    const connection = await dial(port);
    connection.on('data', (chunk: Buffer) => send(2 * index, chunk));
    connection.on('error', fail);
    return connection;
  } catch (error) {
    fail(error);
    return undefined;
  }
}
