import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configureNewNamespace, NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { runProgram } from '../../../src/kernel/programs/run-program.ts';
import { type RunningProgram, startProgram } from '../../../src/kernel/programs.ts';
import { connectTcp, listenTcp } from '../../../src/kernel/sockets.ts';
import { FlatFabric } from '../../../src/kernel/topology/flat-fabric.ts';
import { removeFlatNetwork } from '../../../src/kernel/topology/flat-removal.ts';
import type { PodNetwork } from '../../../src/kernel/topology/node-network.ts';

// A user namespace of one user id, as ordinary users have it, cannot run programs as others: then there is no flat tier either.
const hasUserIds = /^\s*0\s+\d+\s+(\d+)$/m.exec(readFileSync('/proc/self/uid_map', 'utf8'))?.[1] !== '1';

let fabric: FlatFabric;
let client: NetworkNamespace;
let before: string;
const pods: PodNetwork[] = [];
const servers: Server[] = [];

const state = async (): Promise<string> => {
  const commands = ['ip rule', 'ip -6 rule', 'ip -o -4 address', 'ip -o link | cut -d: -f2'];
  return (await runProgram({ command: ['sh', '-c', commands.join(';')] })).stdout;
};

// Tells each caller what address it came from.
function serve({ netns }: PodNetwork): void {
  const server = createServer((socket) => socket.end(`${socket.remoteAddress}`));
  server.listen({ fd: listenTcp(netns, { host: '0.0.0.0', port: 8080 }) });
  servers.push(server);
}

async function ask(netns: NetworkNamespace, host: string): Promise<string> {
  const socket = connectTcp(netns, { host, port: 8080 });
  await once(socket, 'connect');
  return text(socket);
}

// bash opens the connection, so that nobody binds it to an address.
function askByProgram(netns: NetworkNamespace, host: string): RunningProgram {
  return startProgram({ netns, command: ['bash', '-c', `exec 3<>/dev/tcp/${host}/8080 && cat <&3`] });
}

describe.skipIf(!hasUserIds)('a cluster in one network namespace [needs more than one user id]', () => {
  beforeAll(async () => {
    // A container has its loopback up; a fresh namespace has not.
    configureNewNamespace();
    // Other tests of this namespace may have left addresses on it.
    await runProgram({ command: ['ip', 'address', 'flush', 'dev', 'lo', 'scope', 'global'] });
    // Whatever else is there belongs to somebody.
    await runProgram({ command: ['ip', 'address', 'add', '192.0.2.7/32', 'dev', 'lo'] });
    before = await state();
    fabric = FlatFabric.create({
      addresses: ['172.18.0.1'],
      ranges: { nodes: ['172.18.0.0/16'], pods: ['10.244.0.0/16'], services: ['10.96.0.0/16'] },
    });
    const plans = [0, 1].map((index) => ({
      name: `node-${index + 1}`,
      addresses: [`172.18.0.${index + 2}/16`],
      podCIDRs: [`10.244.${index}.0/24`],
    }));
    const nodes = fabric.addNodes(plans);
    client = fabric.addOutsideClient({ name: 'client', addresses: ['172.18.1.1/16'] });
    for (const [index, node] of nodes.entries())
      pods.push(node.attachPod({ name: `pod-${index + 1}`, addresses: [`10.244.${index}.5`] }));
    for (const pod of pods) serve(pod);
  });

  afterAll(async () => {
    for (const server of servers) server.close();
    await fabric[Symbol.asyncDispose]();
  });

  it('lets two pods listen on the same port of all their addresses', async () => {
    for (const pod of pods) expect(await ask(client, pod.addresses[0]!)).toBe('172.18.1.1');
  });

  it('lets a socket of a pod come from the pod', async () => {
    expect(await ask(pods[0]!.netns, '10.244.1.5')).toBe('10.244.0.5');
  });

  it('lets a program of a pod come from the pod, though it binds no address', async () => {
    const program = askByProgram(pods[0]!.netns, '10.244.1.5');
    expect(await text(program.stdout)).toBe('10.244.0.5');
  });

  it('keeps programs of the outside client from pods', async () => {
    const program = askByProgram(client, '10.244.1.5');
    expect(await text(program.stderr)).toMatch(/No route to host|unreachable/i);
  });

  it('lets a program of a place do what root may do here', async () => {
    const { netns } = fabric.nodes.get('node-1')!;
    const { stdout, exitCode } = await runProgram({ netns, command: ['sh', '-c', 'id -u; iptables-save -t nat >&2'] });
    expect(Number(stdout)).toBeGreaterThan(50_000);
    expect(exitCode).toBe(0);
  });

  it('answers what is of nobody by an address of its own', async () => {
    expect(await ask(NetworkNamespace.current(), '10.244.1.5')).toBe('172.18.0.1');
  });

  it('kills the programs of a pod that is detached, and frees its address', async () => {
    const node = fabric.nodes.get('node-1')!;
    const pod = node.attachPod({ name: 'short', addresses: ['10.244.0.9'] });
    const program = startProgram({ netns: pod.netns, command: ['sh', '-c', 'sleep 1000 & echo runs; wait'] });
    await once(program.stdout, 'data');
    pod.detach();
    expect(await program.exited).toMatchObject({ signal: 'SIGKILL' });
    expect(await state()).not.toContain('10.244.0.9');
    expect(node.pods.has('short')).toBe(false);
  });

  it('answers for a load balancer’s address while it is announced', async () => {
    const node = fabric.nodes.get('node-2')!;
    node.announce('172.18.255.1');
    expect(await state()).toContain('172.18.255.1/32');
    node.withdraw('172.18.255.1');
    expect(await state()).not.toContain('172.18.255.1/32');
  });

  it('leaves nothing, also where its maker was killed', async () => {
    removeFlatNetwork();
    expect(await state()).toBe(before);
    expect(before).toContain('192.0.2.7/32');
    removeFlatNetwork();
    expect(await state()).toBe(before);
  });
});
