import { createSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import { awaitCarrier } from '../../src/kernel/netlink/await-carrier.ts';
import { links } from '../../src/kernel/netlink/links.ts';
import type { LinkOperation } from '../../src/kernel/netlink/operations.ts';
import { NetworkNamespace } from '../../src/kernel/network-namespace.ts';
import { bindUdp, connectTcp, listenTcp } from '../../src/kernel/sockets.ts';
import { writeSysctl } from '../../src/kernel/sysctl.ts';
import { receiveAtOnce } from '../../src/kernel/topology/receive-at-once.ts';

/** How long an answer that must come is waited for: machines are busy, and only its absence is a failure. */
export const patienceMs = 20_000;

export type Transport = 'tcp' | 'udp';

/** What became of one connection attempt. */
export type PacketOutcome =
  /** A backend answered, or `node` or `beyond`: then nobody translated the packet. */
  | { readonly kind: 'answered'; readonly backend: string; readonly seenSource: string }
  /** An ICMP error or a reset came back. */
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'silence' };

export interface PacketLabOptions {
  readonly family: 'ipv4' | 'ipv6';
  /** Addresses of the node's own interface; the first is its primary one. */
  readonly nodeAddresses: readonly string[];
  /** `ip:port` of every backend; they live in one namespace behind the node, those that also send each in its own. */
  readonly backends: readonly string[];
  /** Sources that are pods of the node. */
  readonly pods: readonly string[];
  /** Sources that are neither the node's nor pods. */
  readonly outside: readonly string[];
  /** TCP ports on which the node itself, and a host beyond for every other address, answer what reaches them untranslated. */
  readonly passPorts?: readonly number[];
}

interface Side {
  readonly netns: NetworkNamespace;
  readonly link: string;
  readonly mac: string;
  readonly number: number;
}

/** One attempt to reach something. */
interface Packet {
  readonly from: 'pod' | 'node' | 'localhost' | 'external';
  readonly source: string;
  readonly protocol: Transport;
  readonly destination: string;
  readonly port: number;
  readonly timeoutMs?: number;
}

/**
 * One node with real neighbours: namespaces for pods that send, for backends, for the world outside and for what lies beyond
 * it, all routed through the node's own namespace, where the rules under test go. Each backend answers with its own address
 * and whom it saw; what is masqueraded has a source in 100.64.0.0/24 or fd00:64::/64.
 */
export class PacketLab implements AsyncDisposable {
  readonly node: NetworkNamespace;
  readonly #options: PacketLabOptions;
  readonly #pods: Side;
  readonly #backends: Side;
  readonly #world: Side;
  /** Where the default route leads: everything that the rules let pass without translating it. */
  readonly #beyond: Side;
  /** Backends that also send, by address. */
  readonly #both = new Map<string, Side>();
  readonly #servers: Disposable[] = [];

  private constructor(options: PacketLabOptions, node: NetworkNamespace) {
    this.#options = options;
    this.node = node;
    let index = 0;
    const side = (name: string): Side => {
      const number = ++index;
      const mac = `0a:58:00:00:00:${number.toString(16).padStart(2, '0')}`;
      return { netns: NetworkNamespace.create(`${node.name}-${name}`), link: `to-${name}`, mac, number };
    };
    this.#pods = side('pods');
    this.#backends = side('backends');
    this.#world = side('world');
    this.#beyond = side('beyond');
    const senders = new Set([...options.pods, ...options.outside]);
    for (const ip of this.#backendAddresses()) if (senders.has(ip)) this.#both.set(ip, side(`both-${index}`));
  }

  static async create(name: string, options: PacketLabOptions): Promise<PacketLab> {
    const lab = new PacketLab(options, NetworkNamespace.create(name));
    lab.#connect();
    for (const backend of new Set(options.backends)) await lab.#serve(backend);
    for (const port of new Set(options.passPorts)) await lab.#servePass(port);
    return lab;
  }

  /** The namespace of backends that do not send, for servers of a test's own. */
  get backends(): NetworkNamespace {
    return this.#backends.netns;
  }

  /** The namespace of pods that send, for connections of a test's own. */
  get pods(): NetworkNamespace {
    return this.#pods.netns;
  }

  /** Sends from `source` as this kind of sender and reports what came back within `timeoutMs`. */
  async send(packet: Packet): Promise<PacketOutcome> {
    const netns = this.#senderOf(packet.from, packet.source);
    const attempt = packet.protocol === 'tcp' ? askTcp : askUdp;
    return await attempt(netns, { timeoutMs: patienceMs, ...packet });
  }

  /** New connections to each of these, one after the other without pause, until it is told to stop. */
  keepSending(targets: readonly Omit<Packet, 'protocol'>[]): { stop(): Promise<PacketOutcome[]> } {
    let running = true;
    const outcomes: PacketOutcome[] = [];
    const senders = targets.map(async (target) => {
      while (running) outcomes.push(await this.send({ ...target, protocol: 'tcp' }));
    });
    return {
      stop: async () => {
        running = false;
        await Promise.all(senders);
        return outcomes;
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) server[Symbol.dispose]();
    for (const { netns } of [this.#pods, this.#backends, this.#world, this.#beyond, ...this.#both.values()])
      netns.delete();
    this.node.delete();
  }

  #senderOf(from: string, source: string): NetworkNamespace {
    if (from === 'node' || from === 'localhost') return this.node;
    return (this.#both.get(source) ?? (from === 'pod' ? this.#pods : this.#world)).netns;
  }

  #backendAddresses(): Set<string> {
    return new Set(this.#options.backends.map((backend) => splitBackend(backend).ip));
  }

  #connect(): void {
    const { nodeAddresses, pods, outside, family } = this.#options;
    const prefixLength = family === 'ipv4' ? 32 : 128;
    const hosts = (ips: Iterable<string>): string[] => [...ips].map((ip) => `${ip}/${prefixLength}`);
    const backends = this.#backendAddresses();
    const only = (ips: Iterable<string>): string[] => hosts([...ips].filter((ip) => !this.#both.has(ip)));
    for (const key of ['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding', 'net.ipv4.conf.all.route_localnet']) {
      writeSysctl(this.node, key, 1);
    }
    links.apply(this.node, [
      { kind: 'addBridge', name: 'eth0', up: true },
      ...hosts(nodeAddresses).map((address): LinkOperation => ({ kind: 'addAddress', link: 'eth0', address })),
      ...nodeAddresses.flatMap((address) => receiveAtOnce('eth0', address)),
    ]);
    this.#join(this.#pods, only(pods));
    this.#join(this.#backends, only(backends));
    for (const [ip, side] of this.#both) this.#join(side, hosts([ip]));
    const everywhere = family === 'ipv4' ? '0.0.0.0/0' : '::/0';
    this.#join(this.#world, only(outside));
    this.#join(this.#beyond, [everywhere]);
    // Whatever comes in from the node is for that host itself; what it sends goes out.
    links.apply(this.#beyond.netns, [
      { kind: 'addRoute', destination: everywhere, link: 'lo', type: 'local', table: 100 },
      { kind: 'addRule', family, priority: 10, table: 100, inputLink: 'eth0' },
    ]);
  }

  // A veth between the node and a side: the prefixes are local over there, and everything else goes through the node.
  #join(side: Side, prefixes: readonly string[]): void {
    const v6 = this.#options.family === 'ipv6';
    const masked = v6 ? `fd00:64::${side.number}/128` : `100.64.0.${side.number}/32`;
    const own = prefixes.filter((prefix) => !prefix.endsWith('/0'));
    const nodeMac = side.mac.replace(/^0a/, '0e');
    const gateway = v6 ? 'fe80::1' : '169.254.1.1';
    const peer = v6 ? 'fe80::2' : '169.254.1.2';
    links.apply(this.node, [
      {
        kind: 'addVeth',
        name: side.link,
        mac: nodeMac,
        up: true,
        peer: { name: 'eth0', netns: side.netns, mac: side.mac },
      },
      { kind: 'setNeighbour', link: side.link, address: peer, mac: side.mac },
      // What the node masquerades gets this address: it is none of those that the node's own packets have.
      { kind: 'addAddress', link: side.link, address: masked },
      ...receiveAtOnce(side.link, masked),
      ...prefixes.map(
        (destination): LinkOperation => ({
          kind: 'addRoute',
          destination,
          gateway: peer,
          link: side.link,
          onLink: true,
          source: this.#options.nodeAddresses[0]!,
        }),
      ),
    ]);
    links.apply(side.netns, [
      { kind: 'setLink', link: 'eth0', up: true },
      { kind: 'setNeighbour', link: 'eth0', address: gateway, mac: nodeMac },
      ...own.map((address): LinkOperation => ({ kind: 'addAddress', link: 'eth0', address })),
      ...own.flatMap((address) => receiveAtOnce('eth0', address)),
      { kind: 'addRoute', destination: v6 ? '::/0' : '0.0.0.0/0', gateway, link: 'eth0', onLink: true },
    ]);
    awaitCarrier(this.node, side.link);
    awaitCarrier(side.netns, 'eth0');
  }

  async #servePass(port: number): Promise<void> {
    const host = this.#options.family === 'ipv4' ? '0.0.0.0' : '::';
    await this.#serveTcp('node', listenTcp(this.node, { host, port }));
    await this.#serveTcp('beyond', listenTcp(this.#beyond.netns, { host, port, transparent: true }));
  }

  async #serveTcp(name: string, fd: number): Promise<void> {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.end(`${name} ${socket.remoteAddress}`);
    });
    await listening(server, fd);
    this.#servers.push({ [Symbol.dispose]: () => void server.close() });
  }

  async #serve(backend: string): Promise<void> {
    const { ip, port } = splitBackend(backend);
    const { netns } = this.#both.get(ip) ?? this.#backends;
    await this.#serveTcp(backend, listenTcp(netns, { host: ip, port }));
    const udp = createSocket(ip.includes(':') ? 'udp6' : 'udp4');
    udp.on('message', (_message, { address, port: from }) => udp.send(`${backend} ${address}`, from, address));
    await new Promise<void>((resolve) => udp.bind({ fd: bindUdp(netns, { host: ip, port }) }, resolve));
    this.#servers.push({ [Symbol.dispose]: () => void udp.close() });
  }
}

function splitBackend(backend: string): { readonly ip: string; readonly port: number } {
  const colon = backend.lastIndexOf(':');
  return { ip: backend.slice(0, colon).replace(/[[\]]/g, ''), port: Number(backend.slice(colon + 1)) };
}

function listening(server: Server, fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ fd }, () => resolve());
  });
}

interface Attempt {
  readonly source: string;
  readonly destination: string;
  readonly port: number;
  readonly timeoutMs: number;
}

function answered(text: string): PacketOutcome {
  const [backend = '', seenSource = ''] = text.split(' ');
  return { kind: 'answered', backend, seenSource };
}

function askTcp(netns: NetworkNamespace, attempt: Attempt): Promise<PacketOutcome> {
  return new Promise((resolve) => {
    let socket: Socket;
    try {
      socket = connectTcp(netns, { host: attempt.destination, port: attempt.port, localAddress: attempt.source });
    } catch (error) {
      resolve({ kind: 'refused', code: String((error as { errno?: unknown }).errno) });
      return;
    }
    let text = '';
    const done = (outcome: PacketOutcome): void => {
      socket.destroy();
      resolve(outcome);
    };
    socket.setTimeout(attempt.timeoutMs, () => done({ kind: 'silence' }));
    socket.on('error', (error: NodeJS.ErrnoException) => done({ kind: 'refused', code: error.code ?? '' }));
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.on('end', () => done(answered(text)));
  });
}

function askUdp(netns: NetworkNamespace, attempt: Attempt): Promise<PacketOutcome> {
  return new Promise((resolve) => {
    const socket = createSocket(attempt.destination.includes(':') ? 'udp6' : 'udp4');
    const timer = setTimeout(() => done({ kind: 'silence' }), attempt.timeoutMs);
    const done = (outcome: PacketOutcome): void => {
      clearTimeout(timer);
      socket.close();
      resolve(outcome);
    };
    socket.on('error', (error: NodeJS.ErrnoException) => done({ kind: 'refused', code: error.code ?? '' }));
    socket.on('message', (message) => done(answered(message.toString())));
    const fd = bindUdp(netns, { host: attempt.source, port: 0 });
    socket.bind({ fd }, () => {
      socket.connect(attempt.port, attempt.destination, () => socket.send('?'));
    });
  });
}
