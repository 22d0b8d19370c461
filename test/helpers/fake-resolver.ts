import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { type Socket as Connection, createServer, type Server } from 'node:net';
import dnsPacket, { type Packet } from 'dns-packet';

/** What the resolver answers: to a question, or nothing at all (undefined). */
export type Resolve = (query: Packet, transport: 'udp' | 'tcp') => Packet | undefined;

/** A resolver on loopback, over UDP and TCP on one port, built on an independent codec. */
export class FakeResolver implements AsyncDisposable {
  readonly port: number;
  /** Every query that came, in order. */
  readonly queries: Packet[] = [];
  readonly #udp: Socket;
  readonly #tcp: Server;
  readonly #connections = new Set<Connection>();
  readonly #resolve: Resolve;

  private constructor(resolve: Resolve, udp: Socket, tcp: Server) {
    this.#resolve = resolve;
    this.#udp = udp;
    this.#tcp = tcp;
    this.port = udp.address().port;
    udp.on('message', (message, peer) => {
      const reply = this.#answer(message, 'udp');
      if (reply !== undefined) udp.send(reply, peer.port, peer.address);
    });
    tcp.on('connection', (socket) => {
      this.#connections.add(socket);
      socket.on('close', () => this.#connections.delete(socket));
      socket.on('data', (frame) => {
        const reply = this.#answer(frame.subarray(2), 'tcp');
        if (reply === undefined) return;
        socket.write(Buffer.concat([Buffer.from([reply.length >> 8, reply.length & 0xff]), reply]));
      });
      socket.on('error', () => socket.destroy());
    });
  }

  static async start(resolve: Resolve, address = '127.0.0.1'): Promise<FakeResolver> {
    const tcp = createServer();
    tcp.listen(0, address);
    await once(tcp, 'listening');
    const udp = createSocket('udp4');
    udp.bind((tcp.address() as { port: number }).port, address);
    await once(udp, 'listening');
    return new FakeResolver(resolve, udp, tcp);
  }

  /** Ends its TCP connections from its side. */
  closeConnections(): void {
    for (const socket of this.#connections) socket.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#tcp.close();
    await new Promise<void>((done) => this.#udp.close(done));
  }

  #answer(message: Buffer, transport: 'udp' | 'tcp'): Buffer | undefined {
    const query = dnsPacket.decode(message);
    this.queries.push(query);
    const reply = this.#resolve(query, transport);
    if (reply === undefined) return undefined;
    return dnsPacket.encode({ ...reply, id: query.id, type: 'response', questions: query.questions });
  }
}
