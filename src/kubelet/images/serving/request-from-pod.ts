import type { Socket } from 'node:net';
import { connectTcp } from '../../../kernel/sockets.ts';
import { joinHostPort } from '../../probe/probe-outcome.ts';
import type { BuiltinContext } from '../builtin-image.ts';

const { request } = process.getBuiltinModule('node:http');

export interface PodRequest {
  readonly host: string;
  readonly port: number;
  /** With its leading slash. */
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

export interface PodResponse {
  readonly status: number;
  readonly body: string;
}

/** Sends an HTTP request from a pod, to a literal address; rejects when there is no answer in time. */
export function requestFromPod({ netns, schedule }: BuiltinContext, options: PodRequest): Promise<PodResponse> {
  const { host, port, path, method = 'GET', headers = {}, timeoutMs } = options;
  return new Promise((resolve, reject) => {
    const socket = connectTcp(netns, { host, port });
    const sent = request({
      method,
      path,
      headers: { host: joinHostPort(host, port), ...headers, connection: 'close' },
      createConnection: () => socket,
    });
    const timer = schedule(timeoutMs, () => sent.destroy(new Error('context deadline exceeded')));
    sent.once('close', () => timer[Symbol.dispose]());
    sent.once('error', reject);
    sent.once('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
      );
    });
    sent.end();
  });
}

/** Opens a TCP connection from a pod, to a literal address; rejects with the system's error or `timeout`. */
export function connectFromPod(
  { netns, schedule }: BuiltinContext,
  { host, port, timeoutMs }: { readonly host: string; readonly port: number; readonly timeoutMs: number },
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(netns, { host, port });
    const timer = schedule(timeoutMs, () =>
      socket.destroy(Object.assign(new Error('i/o timeout'), { code: 'ETIMEDOUT' })),
    );
    socket.once('close', () => timer[Symbol.dispose]());
    socket.once('error', reject);
    socket.once('connect', () => {
      timer[Symbol.dispose]();
      resolve(socket);
    });
  });
}
