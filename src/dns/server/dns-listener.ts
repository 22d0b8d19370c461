import type { RemoteInfo, Socket as UdpSocket } from 'node:dgram';
import type { Server, Socket } from 'node:net';
import type { Clock } from '../../kube/clock.ts';
import type { DnsLog } from './dns-log.ts';
import type { DnsNetwork } from './dns-network.ts';
import type { QueryServer } from './query-server.ts';
import { ReplyRing } from './reply-ring.ts';
import { plainAddress, TcpConnection, type TcpLimits } from './tcp-connection.ts';

export interface ListenerOptions {
  readonly clock: Clock;
  readonly log: DnsLog;
  readonly limits: TcpLimits;
}

/** The sockets of one listening address: UDP and TCP on the same port. */
export class DnsListener implements AsyncDisposable {
  readonly server: QueryServer;
  readonly #options: ListenerOptions;
  readonly #udp: readonly UdpSocket[];
  readonly #tcp: readonly Server[];
  readonly #connections = new Map<Socket, string>();
  readonly #perClient = new Map<string, number>();
  readonly #sendErrors = new Set<string>();
  #closed = false;

  private constructor(
    server: QueryServer,
    options: ListenerOptions,
    sockets: { readonly udp: readonly UdpSocket[]; readonly tcp: readonly Server[] },
  ) {
    this.server = server;
    this.#options = options;
    this.#udp = sockets.udp;
    this.#tcp = sockets.tcp;
    for (const socket of sockets.udp) this.#serveUdp(socket);
    for (const listener of sockets.tcp) listener.on('connection', (socket) => this.#accept(socket));
  }

  /** Opens the sockets; '' listens on every address. With port 0 both transports take the same free port. */
  static async open(
    server: QueryServer,
    where: { readonly network: DnsNetwork; readonly address: string; readonly port: number },
    options: ListenerOptions,
  ): Promise<DnsListener> {
    const { network, address, port } = where;
    const tcp = await network.listenTcp(address, port);
    const bound = port === 0 ? portOf(tcp[0]!) : port;
    try {
      return new DnsListener(server, options, { udp: await network.bindUdp(address, bound), tcp });
    } catch (error) {
      for (const listener of tcp) listener.close();
      throw error;
    }
  }

  /** The port that both transports listen on. */
  get port(): number {
    return portOf(this.#tcp[0]!);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    const closing = [
      ...this.#udp.map((socket) => new Promise<void>((done) => socket.close(done))),
      ...this.#tcp.map((listener) => new Promise<void>((done) => listener.close(() => done()))),
    ];
    for (const socket of this.#connections.keys()) socket.destroy();
    await Promise.all(closing);
  }

  #serveUdp(socket: UdpSocket): void {
    const { server } = this;
    const ring = new ReplyRing(() => socket.getSendQueueSize());
    const ipv6 = socket.address().family === 'IPv6';
    const transport = { tcp: false, ipv6 };
    socket.on('message', (query: Buffer, peer: RemoteInfo) => {
      // Whoever writes raw packets may say so, but nobody is there to be answered.
      if (peer.port === 0) return;
      ring.reserve();
      const length = server.answerFast(query, ring, transport);
      if (length > 0) socket.send(ring.take(length), peer.port, peer.address);
      else this.#answerUdp(socket, query, peer);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => this.#onSendError(error));
  }

  #answerUdp(socket: UdpSocket, query: Buffer, peer: RemoteInfo): void {
    const client = { address: plainAddress(peer.address), port: peer.port, transport: 'udp' } as const;
    void this.server.answer(query, client, (message) => {
      if (!this.#closed) socket.send(message, peer.port, peer.address);
    });
  }

  // One line per kind of error: a reply that cannot be sent is the client's loss, thousands of lines would be ours.
  #onSendError(error: NodeJS.ErrnoException): void {
    const kind = error.code ?? error.message;
    if (this.#sendErrors.has(kind)) return;
    this.#sendErrors.add(kind);
    this.#options.log('warning', `reply not sent: ${error.message} (later ones of this kind are not told)`);
  }

  #accept(socket: Socket): void {
    const { limits, clock } = this.#options;
    const address = socket.remoteAddress ?? '';
    const open = this.#perClient.get(address) ?? 0;
    if (open >= limits.perClient || this.#connections.size >= limits.total) {
      socket.destroy();
      return;
    }
    this.#perClient.set(address, open + 1);
    this.#connections.set(socket, address);
    socket.on('close', () => this.#forget(socket, address));
    new TcpConnection(socket, this.server, { limits, clock });
  }

  #forget(socket: Socket, address: string): void {
    this.#connections.delete(socket);
    const left = (this.#perClient.get(address) ?? 1) - 1;
    if (left === 0) this.#perClient.delete(address);
    else this.#perClient.set(address, left);
  }
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
