import { reachablePort, udpSocket } from '../../../kernel/sockets.ts';
import type { BuiltinContext } from '../builtin-image.ts';

export interface UdpQuestion {
  /** A literal address. */
  readonly host: string;
  readonly port: number;
  readonly payload: string;
  readonly timeoutMs: number;
}

/** Sends a datagram from a pod and resolves with the answer; rejects when it is refused or nothing comes in time. */
export async function askUdp({ netns, schedule }: BuiltinContext, question: UdpQuestion): Promise<string> {
  const { host, port, payload, timeoutMs } = question;
  const socket = await udpSocket(netns, { family: host.includes(':') ? 'ipv6' : 'ipv4' });
  const answer = Promise.withResolvers<string>();
  const timer = schedule(timeoutMs, () =>
    answer.reject(
      Object.assign(new Error("reading from udp connection failed. err:'i/o timeout'"), { code: 'ETIMEDOUT' }),
    ),
  );
  socket.on('error', (error) => answer.reject(error));
  socket.once('message', (data) => answer.resolve(data.toString('utf8')));
  socket.once('connect', () => socket.send(payload));
  try {
    // A connected socket is told of "port unreachable". A callback would be called where there is no way, too.
    socket.connect(reachablePort(netns, { host, port }), host);
    return await answer.promise;
  } finally {
    timer[Symbol.dispose]();
    socket.close();
  }
}
