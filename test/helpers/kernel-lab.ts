/**
 * A small network for tests with real packets, as short as this:
 *
 *   await using lab = await createLab({ nodes: 2, podsPerNode: 2 });
 *   const [web, other] = lab.pods;                        // web on node-1; pods are ordered by node
 *   await lab.serve(web, { port: 80 });                   // answers with "NAME SOURCE-ADDRESS", TCP and UDP, both families
 *   await lab.ask(lab.client, { host: lab.addressOf(lab.nodes[0]), port: 80 });
 *   // → { answer: 'node-1', source: '172.18.255.1' } or { failure: 'ECONNREFUSED' } or { failure: 'ETIMEDOUT' }
 *
 * `lab.nodes[i].netns`, `lab.pods[i].netns`, `lab.client.netns`, `lab.root.netns` are namespaces for the runners, sysctls and
 * programs of src/kernel. Node i (from 1) is 172.18.0.(i+1) and fc00:f853:ccd:e793::(i+1); its pods are 10.244.i.2, … and
 * fd00:10:244:i::2, …; the client is 172.18.255.1 and fc00:f853:ccd:e793::ffff. Everything is gone at the end of the scope.
 *
 * Needs its own network, mount and pid namespaces, as the kernel tests run (see CONTRIBUTING.md); refuses to touch the host's.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { configureNewNamespace, type NetworkNamespace } from '../../src/kernel/network-namespace.ts';
import { bindUdp, connectTcp, listenTcp, udpSocket } from '../../src/kernel/sockets.ts';
import { Fabric } from '../../src/kernel/topology/fabric.ts';
import type { NodeNetwork } from '../../src/kernel/topology/node-network.ts';
import type { NodePlan, PodAttachment } from '../../src/kernel/topology/plan.ts';

export interface LabOptions {
  readonly nodes?: number;
  readonly podsPerNode?: number;
  readonly cni?: PodAttachment;
}

/** Anything with a namespace and addresses; the first of each family is its own. */
export interface LabMember {
  readonly name: string;
  readonly netns: NetworkNamespace;
  readonly addresses: readonly string[];
}

export interface LabNode extends LabMember {
  readonly network: NodeNetwork;
}

interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface AskOptions extends Endpoint {
  readonly protocol?: 'tcp' | 'udp';
  /**
   * How long to wait for an answer before it is ETIMEDOUT; default 3,000 ms. An IPv6 connection learns of an ICMP error only
   * from its second attempt, after a second: the first error arrives while the kernel is still busy sending.
   */
  readonly timeoutMs?: number;
  readonly localAddress?: string;
}

/** Who answered and which source address it saw, or how the attempt failed, by the name of the errno. */
export type Answer =
  | { readonly answer: string; readonly source: string; readonly failure?: undefined }
  | { readonly failure: string; readonly answer?: undefined; readonly source?: undefined };

// PROC_PID_INIT_INO of linux/proc_ns.h: the pid namespace that a machine boots into.
const initialPidNamespace = 'pid:[4026531836]';

/** Builds the network described at the top of this file. */
export async function createLab({ nodes = 1, podsPerNode = 1, cni = 'ptp' }: LabOptions = {}): Promise<Lab> {
  if (readlinkSync('/proc/self/ns/pid') === initialPidNamespace) {
    throw new Error("a lab would change the host's network: run the test in namespaces of its own (npm test)");
  }
  configureNewNamespace();
  const addresses = ['172.18.0.1/16', 'fc00:f853:ccd:e793::1/64'];
  const fabric = Fabric.create({ name: 'fabric0', addresses, cni });
  try {
    return new Lab(fabric, { nodes, podsPerNode });
  } catch (error) {
    fabric.delete();
    throw error;
  }
}

/** The plan of node `i`, counted from 1. */
export function planNode(i: number): NodePlan {
  const hex = i.toString(16);
  return {
    name: `node-${i}`,
    addresses: [`172.18.0.${i + 1}/16`, `fc00:f853:ccd:e793::${(i + 1).toString(16)}/64`],
    podCIDRs: [`10.244.${i}.0/24`, `fd00:10:244:${hex}::/64`],
  };
}

export class Lab implements AsyncDisposable {
  readonly fabric: Fabric;
  readonly root: LabMember;
  readonly client: LabMember;
  readonly nodes: readonly LabNode[];
  readonly pods: readonly LabMember[];
  readonly #servers: Disposable[] = [];

  constructor(fabric: Fabric, size: { readonly nodes: number; readonly podsPerNode: number }) {
    this.fabric = fabric;
    this.root = { name: 'root', netns: fabric.root, addresses: withoutLengths(fabric.plan.addresses) };
    const plans = Array.from({ length: size.nodes }, (_, i) => planNode(i + 1));
    this.nodes = fabric.addNodes(plans).map((network) => ({
      name: network.name,
      netns: network.netns,
      addresses: withoutLengths(network.plan.addresses),
      network,
    }));
    this.pods = this.nodes.flatMap((node, i) =>
      Array.from({ length: size.podsPerNode }, (_, j) => this.#attachPod(node, { node: i + 1, pod: j + 1 })),
    );
    const addresses = ['172.18.255.1/16', 'fc00:f853:ccd:e793::ffff/64'];
    const netns = fabric.addOutsideClient({ name: 'client', addresses });
    this.client = { name: 'client', netns, addresses: withoutLengths(addresses) };
  }

  /** A member's address of one family. */
  addressOf(member: LabMember, family: 'ipv4' | 'ipv6' = 'ipv4'): string {
    return member.addresses.find((address) => address.includes(':') === (family === 'ipv6'))!;
  }

  /** Lets a member answer on a port, TCP and UDP, with its name (or `as`) and the source address it sees. */
  async serve(
    member: LabMember,
    { port, as = member.name }: { readonly port: number; readonly as?: string },
  ): Promise<void> {
    for (const host of ['0.0.0.0', '::']) {
      const server = createServer((socket) => {
        socket.on('error', () => socket.destroy());
        socket.end(`${as} ${socket.remoteAddress}`);
      });
      server.listen({ fd: listenTcp(member.netns, { host, port }) });
      const udp = createSocket(host === '::' ? 'udp6' : 'udp4');
      udp.on('message', (_, from) => udp.send(`${as} ${from.address}`, from.port, from.address));
      const listening = Promise.all([once(server, 'listening'), once(udp, 'listening')]);
      udp.bind({ fd: bindUdp(member.netns, { host, port }) });
      await listening;
      this.#servers.push({ [Symbol.dispose]: () => void server.close() }, { [Symbol.dispose]: () => udp.close() });
    }
  }

  /** Asks from a member's namespace and tells who answered. */
  ask(from: LabMember, options: AskOptions): Promise<Answer> {
    return ask(from, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) server[Symbol.dispose]();
    this.fabric.delete();
  }

  #attachPod(node: LabNode, index: { readonly node: number; readonly pod: number }): LabMember {
    const host = index.pod + 1;
    const addresses = [`10.244.${index.node}.${host}`, `fd00:10:244:${index.node.toString(16)}::${host.toString(16)}`];
    return node.network.attachPod({ name: `pod-${index.node}-${index.pod}`, addresses });
  }
}

/** The same without a lab. */
export async function ask(from: Pick<LabMember, 'netns'>, options: AskOptions): Promise<Answer> {
  const text = await (options.protocol === 'udp' ? askUdp : askTcp)(from.netns, options).catch(
    (error: NodeJS.ErrnoException) => ({
      failure: String(error.errno === undefined ? error : (error.code ?? error)),
    }),
  );
  if (typeof text !== 'string') return text;
  const [answer = '', source = ''] = text.split(' ');
  return { answer, source };
}

function withoutLengths(prefixes: readonly string[]): string[] {
  return prefixes.map((prefix) => prefix.slice(0, prefix.indexOf('/')));
}

function askTcp(netns: NetworkNamespace, options: AskOptions): Promise<string> {
  const socket = connectTcp(netns, options);
  let text = '';
  return new Promise<string>((resolve, reject) => {
    socket.setTimeout(options.timeoutMs ?? 15_000, () => reject(timedOut()));
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
  }).finally(() => socket.destroy());
}

async function askUdp(netns: NetworkNamespace, options: AskOptions): Promise<string> {
  const family = options.host.includes(':') ? 'ipv6' : 'ipv4';
  const local = options.localAddress === undefined ? {} : { host: options.localAddress };
  const socket = await udpSocket(netns, { family, ...local });
  let timer: NodeJS.Timeout | undefined;
  return new Promise<string>((resolve, reject) => {
    timer = setTimeout(() => reject(timedOut()), options.timeoutMs ?? 15_000);
    socket.on('message', (message) => resolve(message.toString()));
    socket.on('error', reject);
    // Connected, so that ICMP errors reach the socket.
    socket.connect(options.port, options.host, () => socket.send('?'));
  }).finally(() => {
    clearTimeout(timer);
    socket.close();
  });
}

function timedOut(): NodeJS.ErrnoException {
  return Object.assign(new Error('no answer'), { code: 'ETIMEDOUT', errno: -110 });
}
