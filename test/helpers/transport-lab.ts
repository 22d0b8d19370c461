import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { nodeSockets } from '../../src/cluster/compose/node-sockets.ts';
import { NetworkNamespace } from '../../src/kernel/network-namespace.ts';
import { bindUdp, connectTcp, listenTcp, localPort } from '../../src/kernel/sockets.ts';
import { joinHostPort } from '../../src/netfilter/address.ts';
import { EngineTransport } from '../../src/proxy/userspace/engine/engine-transport.ts';
import type { ListenAddress, Listener, ListenerPolicy, Target } from '../../src/proxy/userspace/listener.ts';
import { PlainTransport } from '../../src/proxy/userspace/plain/plain-transport.ts';
import { DEFAULT_LIMITS, type Transport, type TransportLimits } from '../../src/proxy/userspace/transport.ts';
import { seededRandom } from './seeded-random.ts';
import { systemClock } from './system-clock.ts';

export const TRANSPORTS = ['engine', 'plain'] as const;
export type TransportKind = (typeof TRANSPORTS)[number];

/** A transport of this kind, with default limits but for these. */
export function createTransport(
  kind: TransportKind,
  { limits = {}, threads = 2, onError }: CreateTransportOptions,
): Transport {
  const options = { limits: { ...DEFAULT_LIMITS, ...limits }, onError };
  return kind === 'engine'
    ? new EngineTransport({ ...options, threads, isLocal: true })
    : new PlainTransport({ ...options, clock: systemClock, random: seededRandom(1) });
}

interface CreateTransportOptions {
  readonly limits?: Partial<TransportLimits>;
  readonly threads?: number;
  readonly onError: (error: unknown) => void;
}

/** A server that sends back what it gets. */
export const echo = (socket: Socket): void => void socket.pipe(socket);

let labs = 0;

/** A transport in a network namespace that has nothing but its loopback. */
export class TransportLab implements AsyncDisposable {
  readonly netns: NetworkNamespace;
  readonly transport: Transport;
  /** What the transport could not do. */
  readonly errors: unknown[] = [];
  readonly #host: string;
  readonly #stack = new AsyncDisposableStack();
  readonly #sockets = new Set<Socket>();
  #listeners = 0;

  constructor(
    kind: TransportKind,
    {
      limits = {},
      v6 = false,
      threads = 2,
    }: { limits?: Partial<TransportLimits>; v6?: boolean; threads?: number } = {},
  ) {
    this.netns = this.#stack.use(NetworkNamespace.create(`relay-${++labs}`));
    this.#host = v6 ? '::1' : '127.0.0.1';
    const onError = (error: unknown): void => void this.errors.push(error);
    this.transport = this.#stack.use(createTransport(kind, { limits, threads, onError }));
  }

  /** Opens a listener that leads to these endpoints. */
  listen(
    targets: readonly Target[],
    {
      protocol = 'tcp',
      host = this.#host,
      ...policy
    }: Partial<ListenerPolicy> & { readonly protocol?: 'tcp' | 'udp'; readonly host?: string } = {},
  ): ListenAddress & { readonly id: string; readonly policy: ListenerPolicy } {
    const id = `listener-${this.#listeners++}`;
    const full = { balancing: 'round-robin', affinitySeconds: 0, proxyProtocol: false, ...policy, targets } as const;
    const listener: Listener = {
      id,
      node: 'node-1',
      family: this.#host === '::1' ? 'ipv6' : 'ipv4',
      protocol,
      key: id,
      service: `default/${id}`,
      destination: { host: this.#host === '::1' ? 'fd00:10:96::1' : '10.96.0.1', port: 80 },
      policy: full,
    };
    const address = { host, port: 0 };
    return { id, policy: full, ...this.transport.open(listener, nodeSockets(this.netns), address) };
  }

  /** A server that gives each connection to `serve`. */
  async serve(serve: (socket: Socket) => void): Promise<Target> {
    const fd = listenTcp(this.netns, { host: this.#host, port: 0, backlog: 1024 });
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {});
      this.#keep(socket);
      serve(socket);
    });
    const target = this.#target(localPort(fd));
    server.listen({ fd });
    this.#stack.defer(() => void server.close());
    await once(server, 'listening');
    return target;
  }

  /** A UDP server that answers each datagram with what `answer` returns. */
  async serveUdp(answer: (message: Buffer, from: RemoteInfo) => Buffer | undefined): Promise<Target> {
    const socket = await this.udp();
    socket.on('message', (message, from) => {
      const reply = answer(message, from);
      if (reply !== undefined) socket.send(reply, from.port, from.address);
    });
    return this.#target(socket.address().port);
  }

  /** A UDP socket of a client, connected when an address is given. */
  async udp(to?: ListenAddress): Promise<UdpSocket> {
    const socket = createSocket({ type: this.#host === '::1' ? 'udp6' : 'udp4', recvBufferSize: 1 << 20 });
    const listening = once(socket, 'listening');
    socket.bind({ fd: bindUdp(this.netns, { host: this.#host, port: 0 }) });
    await listening;
    this.#stack.defer(() => void socket.close());
    if (to !== undefined) {
      const connected = once(socket, 'connect');
      socket.connect(to.port, to.host);
      await connected;
    }
    return socket;
  }

  /** A client's connection, open for writing after the other side has ended. */
  connect({ host, port }: ListenAddress): Socket {
    const socket = connectTcp(this.netns, { host, port });
    socket.allowHalfOpen = true;
    return this.#keep(socket);
  }

  /** An address at which nobody listens. */
  nobody(): Target {
    const fd = bindUdp(this.netns, { host: this.#host, port: 0 });
    const target = this.#target(localPort(fd));
    closeSync(fd);
    return target;
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket);
    return socket.on('close', () => this.#sockets.delete(socket));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await this.#stack.disposeAsync();
  }

  #target(port: number): Target {
    return { ip: this.#host, port, address: joinHostPort(this.#host, port) };
  }
}
