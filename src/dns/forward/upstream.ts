import type { Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Clock } from '../../kube/clock.ts';
import type { DnsNetwork } from '../server/dns-network.ts';

export interface UpstreamOptions {
  readonly address: string;
  readonly port: number;
  readonly network: DnsNetwork;
  readonly clock: Clock;
  /** Milliseconds after which an idle socket is not used again. */
  readonly expire: number;
  /** Milliseconds to wait for a reply. */
  readonly readTimeout: number;
  /** Told whether a socket was at hand or had to be opened. */
  readonly onSocket: (transport: 'udp' | 'tcp', cached: boolean) => void;
}

interface Idle<T> {
  readonly socket: T;
  readonly since: number;
}

/** One resolver that queries are passed to: one query per socket at a time, sockets are used again while they are young. */
export class Upstream implements Disposable {
  readonly options: UpstreamOptions;
  /** `address:port`, with brackets around IPv6. */
  readonly name: string;
  /** Failed health checks in a row. */
  fails = 0;
  readonly #udp: Idle<UdpSocket>[] = [];
  readonly #tcp: Idle<Socket>[] = [];
  readonly #open = new Set<UdpSocket | Socket>();

  constructor(options: UpstreamOptions) {
    this.options = options;
    const { address, port } = options;
    this.name = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  }

  /** Sends a message and resolves with the reply of the same id; rejects when none comes in time or the socket fails. */
  async exchange(message: Uint8Array, transport: 'udp' | 'tcp'): Promise<Uint8Array> {
    return transport === 'udp' ? this.#exchangeUdp(message) : this.#exchangeTcp(message);
  }

  [Symbol.dispose](): void {
    for (const socket of this.#open) {
      if ('destroy' in socket) socket.destroy();
      else socket.close();
    }
    this.#open.clear();
  }

  async #exchangeUdp(message: Uint8Array): Promise<Uint8Array> {
    const socket = this.#takeIdle(this.#udp) ?? (await this.#openUdp());
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const onMessage = (reply: Buffer): void => {
      // A late reply to an earlier query of this socket, or a forged one.
      if (reply[0] === message[0] && reply[1] === message[1]) resolve(reply);
    };
    socket.on('message', onMessage);
    socket.once('error', reject);
    try {
      socket.send(message);
      const reply = await this.#inTime(promise);
      socket.off('message', onMessage);
      socket.off('error', reject);
      this.#udp.push({ socket, since: this.options.clock.now() });
      return reply;
    } catch (error) {
      this.#drop(socket);
      throw error;
    }
  }

  async #openUdp(): Promise<UdpSocket> {
    const { network, address, port, onSocket } = this.options;
    onSocket('udp', false);
    const socket = await network.openUdp(address.includes(':') ? 6 : 4);
    this.#open.add(socket);
    // Errors of an idle socket (a refused port) show up with its next query.
    socket.on('error', () => this.#drop(socket));
    const connected = once(socket, 'connect');
    socket.connect(port, address);
    await connected;
    return socket;
  }

  async #exchangeTcp(message: Uint8Array): Promise<Uint8Array> {
    const cached = this.#takeIdle(this.#tcp);
    try {
      return await this.#askTcp(cached ?? (await this.#openTcp()), message);
    } catch (error) {
      if (cached === undefined) throw error;
      // The other side had closed the idle connection.
      return this.#askTcp(await this.#openTcp(), message);
    }
  }

  async #openTcp(): Promise<Socket> {
    const { network, address, port, onSocket } = this.options;
    onSocket('tcp', false);
    const socket = network.connectTcp(address, port);
    this.#open.add(socket);
    socket.on('error', () => this.#drop(socket));
    await this.#inTime(once(socket, 'connect'));
    return socket;
  }

  async #askTcp(socket: Socket, message: Uint8Array): Promise<Uint8Array> {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    let received = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      received = Buffer.concat([received, chunk]);
      if (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        resolve(received.subarray(2, 2 + received.readUInt16BE(0)));
      }
    };
    const onClose = (): void => reject(new Error(`${this.name} closed the connection`));
    socket.on('data', onData);
    socket.once('error', reject);
    socket.once('close', onClose);
    try {
      socket.write(Buffer.concat([Buffer.from([message.length >> 8, message.length & 0xff]), message]));
      const reply = await this.#inTime(promise);
      socket.off('data', onData);
      socket.off('error', reject);
      socket.off('close', onClose);
      this.#tcp.push({ socket, since: this.options.clock.now() });
      return reply;
    } catch (error) {
      this.#drop(socket);
      throw error;
    }
  }

  #takeIdle<T extends UdpSocket | Socket>(idle: Idle<T>[]): T | undefined {
    const { clock, expire, onSocket } = this.options;
    for (let entry = idle.shift(); entry !== undefined; entry = idle.shift()) {
      const { socket, since } = entry;
      const usable = this.#open.has(socket) && !('destroyed' in socket && socket.destroyed);
      if (usable && clock.now() - since < expire) {
        onSocket('destroy' in socket ? 'tcp' : 'udp', true);
        return socket;
      }
      this.#drop(socket);
    }
    return undefined;
  }

  #drop(socket: UdpSocket | Socket): void {
    if (!this.#open.delete(socket)) return;
    if ('destroy' in socket) socket.destroy();
    else socket.close();
  }

  async #inTime<T>(work: Promise<T>): Promise<T> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    using _timer = this.options.clock.schedule(this.options.readTimeout, () => {
      reject(new Error(`${this.name}: i/o timeout`));
    });
    return await Promise.race([work, late]);
  }
}
