import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TowtankError } from '../../../src/errors/towtank-error.ts';
import { runProgram } from '../../../src/kernel/programs/run-program.ts';
import { listenTcp } from '../../../src/kernel/sockets.ts';
import { readSysctl } from '../../../src/kernel/sysctl.ts';
import { Fabric } from '../../../src/kernel/topology/fabric.ts';
import { ask, createLab, type Lab, planNode } from '../../helpers/kernel-lab.ts';
import { leakCheck, leaveNothing } from '../../helpers/leak-check.ts';

const families = ['ipv4', 'ipv6'] as const;
const virtual = { ipv4: '172.18.200.1', ipv6: 'fc00:f853:ccd:e793::c8' } as const;
const nowhere = { ipv4: '10.96.0.10', ipv6: 'fd00:10:96::a' } as const;

describe.each(['ptp', 'bridge'] as const)('pods attached by %s', (cni) => {
  leaveNothing();

  let lab: Lab;

  beforeAll(async () => {
    lab = await createLab({ nodes: 2, podsPerNode: 2, cni });
    for (const member of [...lab.pods, ...lab.nodes]) await lab.serve(member, { port: 80 });
  });

  afterAll(() => lab[Symbol.asyncDispose]());

  describe.each(families)('over %s', (family) => {
    const to = (host: string) => ({ host, port: 80 });
    const own = (member: Lab['pods'][number]) => lab.addressOf(member, family);

    it.each([
      ['a pod of the same node', 0, 1],
      ['a pod of another node', 0, 3],
      ['itself', 2, 2],
    ])('a pod reaches %s, which sees the pod’s own address', async (_, from, target) => {
      const [source, destination] = [lab.pods[from]!, lab.pods[target]!];
      expect(await lab.ask(source, to(own(destination)))).toEqual({ answer: destination.name, source: own(source) });
    });

    it('a pod and a datagram: the answer comes back as well', async () => {
      const [source, , destination] = lab.pods;
      expect(await lab.ask(source!, { ...to(own(destination!)), protocol: 'udp' })).toEqual({
        answer: destination!.name,
        source: own(source!),
      });
    });

    it('a pod reaches its node and the other node', async () => {
      for (const node of lab.nodes) {
        expect(await lab.ask(lab.pods[0]!, to(own(node)))).toEqual({ answer: node.name, source: own(lab.pods[0]!) });
      }
    });

    it('a node reaches pods of its own and of the other node', async () => {
      expect(await lab.ask(lab.nodes[0]!, to(own(lab.pods[1]!)))).toMatchObject({ answer: lab.pods[1]!.name });
      expect(await lab.ask(lab.nodes[0]!, to(own(lab.pods[3]!)))).toEqual({
        answer: lab.pods[3]!.name,
        source: own(lab.nodes[0]!),
      });
    });

    it('the outside client reaches nodes, but neither pods nor Services', async () => {
      expect(await lab.ask(lab.client, to(own(lab.nodes[1]!)))).toEqual({ answer: 'node-2', source: own(lab.client) });
      expect(await lab.ask(lab.client, to(own(lab.pods[0]!)))).toEqual({ failure: 'ENETUNREACH' });
      expect(await lab.ask(lab.client, to(nowhere[family]))).toEqual({ failure: 'ENETUNREACH' });
    });

    it('the root namespace reaches pods, as the supervisor needs it', async () => {
      expect(await lab.ask(lab.root, to(own(lab.pods[3]!)))).toEqual({
        answer: lab.pods[3]!.name,
        source: own(lab.root),
      });
    });

    it('a pod that calls where nobody is learns it at once', async () => {
      expect(await lab.ask(lab.pods[0]!, to(nowhere[family]))).toEqual({ failure: 'ENETUNREACH' });
    });

    it('an announced address is answered by its node, and by another as soon as that announces it', async () => {
      const [first, second] = lab.nodes.map((node) => node.network);
      first!.announce(virtual[family]);
      expect(await lab.ask(lab.client, to(virtual[family]))).toEqual({ answer: 'node-1', source: own(lab.client) });
      expect(await lab.ask(lab.pods[2]!, to(virtual[family]))).toEqual({ answer: 'node-1', source: own(lab.pods[2]!) });
      first!.withdraw(virtual[family]);
      second!.announce(virtual[family]);
      expect(await lab.ask(lab.client, to(virtual[family]))).toEqual({ answer: 'node-2', source: own(lab.client) });
      second!.withdraw(virtual[family]);
      expect(second!.announced.size).toBe(0);
    });

    it('an announced address is never the source of what a node sends to a pod', async () => {
      const { network } = lab.nodes[0]!;
      network.announce(virtual[family]);
      const answer = await lab.ask(lab.nodes[0]!, to(own(lab.pods[0]!)));
      network.withdraw(virtual[family]);
      expect(answer.source).not.toBe(virtual[family]);
      expect(answer.answer).toBe(lab.pods[0]!.name);
    });
  });

  it('nodes forward packets and take NodePorts on 127.0.0.1, whatever the host does', () => {
    for (const { netns } of lab.nodes) {
      for (const key of ['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding', 'net.ipv4.conf.all.route_localnet']) {
        expect([key, readSysctl(netns, key)]).toEqual([key, '1']);
      }
    }
  });

  it('a node that joins later is reached by and reaches the others, and is forgotten when it leaves', async () => {
    const late = lab.fabric.addNode(planNode(9));
    const address = '10.244.9.2';
    const pod = late.attachPod({ name: 'late-pod', addresses: [address] });
    await lab.serve(pod, { port: 80 });
    expect(await lab.ask(lab.pods[0]!, { host: address, port: 80 })).toMatchObject({ answer: 'late-pod' });
    lab.fabric.removeNode('node-9');
    expect((await runProgram({ command: ['ip', 'neigh', 'show', '172.18.0.10'] })).stdout).toBe('');
    expect(await lab.ask(lab.pods[0]!, { host: address, port: 80 })).toEqual({ failure: 'ENETUNREACH' });
    expect([...lab.fabric.nodes.keys()]).toEqual(['node-1', 'node-2']);
  });

  it('a detached pod is not reachable, and its name and address are free for another', async () => {
    const { network } = lab.nodes[0]!;
    for (let round = 0; round < 3; round++) {
      const pod = network.attachPod({ name: 'short-lived', addresses: ['10.244.1.77', 'fd00:10:244:1::77'] });
      await lab.serve(pod, { port: 80, as: `round-${round}` });
      expect(await lab.ask(lab.pods[3]!, { host: '10.244.1.77', port: 80 })).toMatchObject({
        answer: `round-${round}`,
      });
      pod.detach();
      pod.detach();
      expect((await lab.ask(lab.nodes[1]!, { host: '10.244.1.77', port: 80, timeoutMs: 200 })).answer).toBeUndefined();
    }
  });

  it('a pod whose address is malformed leaves nothing behind', () => {
    const { network } = lab.nodes[0]!;
    expect(() => network.attachPod({ name: 'broken', addresses: ['10.244.1.300'] })).toThrow(
      /not a literal IP address/,
    );
    expect(network.pods.has('broken')).toBe(false);
    network.attachPod({ name: 'broken', addresses: ['10.244.1.30'] }).detach();
  });
});

describe.each([
  [
    'IPv4',
    '172.18.0.1/16',
    ['172.18.0.2/16', '172.18.0.3/16'],
    ['10.244.1', '10.244.2'],
    '.0/24',
    '.2',
    '172.18.200.1',
    '172.18.0.9/16',
  ],
  ['IPv6', 'fc00::1/64', ['fc00::2/64', 'fc00::3/64'], ['fd00:1', 'fd00:2'], '::/64', '::2', 'fc00::c8', 'fc00::9/64'],
] as const)('a fabric of %s alone', (_, gateway, nodes, ranges, range, host, address, outside) => {
  leaveNothing();

  it.each(['ptp', 'bridge'] as const)('works as one of both, with %s', async (cni) => {
    await using fabric = Fabric.create({ name: 'fabric0', addresses: [gateway], cni });
    const built = fabric.addNodes(
      nodes.map((own, i) => ({ name: `node-${i}`, addresses: [own], podCIDRs: [`${ranges[i]}${range}`] })),
    );
    const pods = built.map((node, i) => node.attachPod({ name: `pod-${i}`, addresses: [`${ranges[i]}${host}`] }));
    const netns = fabric.addOutsideClient({ name: 'client', addresses: [outside] });
    const client = { name: 'client', netns, addresses: [outside] };
    const server = createServer((socket) => socket.end(`${pods[1]!.name} ${socket.remoteAddress}`));
    server.listen({ fd: listenTcp(pods[1]!.netns, { host: pods[1]!.addresses[0]!, port: 80 }) });
    expect(await ask(pods[0]!, { host: pods[1]!.addresses[0]!, port: 80 })).toEqual({
      answer: 'pod-1',
      source: pods[0]!.addresses[0],
    });
    built[1]!.announce(address);
    expect(await ask(client, { host: address, port: 80 })).toEqual({ failure: 'ECONNREFUSED' });
    server.close();
  });
});

it('whatever a plan says, a node or pod is made whole or not at all', async () => {
  await using _ = leakCheck();
  await using fabric = Fabric.create({
    name: 'fabric0',
    addresses: ['172.18.0.1/16', 'fc00:f853:ccd:e793::1/64'],
    cni: 'ptp',
  });
  const node = fabric.addNode(planNode(1));
  const oddities = [
    '',
    '/',
    '10.0.0.1/99',
    '::',
    '::1/128',
    '127.0.0.1/8',
    '0.0.0.0/0',
    '255.255.255.255/32',
    'ff02::1/64',
    'a\0b',
  ];
  const address = fc.oneof(
    fc.constantFrom(...oddities),
    fc.ipV4().map((ip) => `${ip}/24`),
    fc.ipV6(),
    fc.string(),
  );
  const name = fc.oneof(fc.string(), fc.constantFrom('node-1', '../x', 'lo', 'x'.repeat(300)));
  const addresses = fc.array(address, { maxLength: 3 });
  fc.assert(
    fc.property(name, addresses, addresses, (called, own, ranges) => {
      const attempts = [
        () => fabric.addNode({ name: called, addresses: own, podCIDRs: ranges }) && fabric.removeNode(called),
        () => node.attachPod({ name: called, addresses: own }).detach(),
        () => void fabric.addOutsideClient({ name: called, addresses: own }),
      ];
      for (const attempt of attempts) {
        try {
          attempt();
        } catch (error) {
          expect(error).toBeInstanceOf(TowtankError);
        }
      }
      expect([...fabric.nodes.keys()]).toEqual(['node-1']);
      expect(node.pods.size).toBe(0);
      // No namespace's name begins with a dot: the kernel room keeps a mount of /proc there meanwhile.
      const namespaces = readdirSync('/run/netns').filter((entry) => !entry.startsWith('.'));
      expect(namespaces.sort()).toEqual(['node-1', ...fabric.clients.keys()].sort());
    }),
    { numRuns: 150 },
  );
});
