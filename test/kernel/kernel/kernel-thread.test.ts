import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { createIptablesRunner } from '../../../src/kernel/runners/iptables-runner.ts';
import { runKernelCommand } from '../../../src/kernel/runners/kernel-command.ts';
import { KernelThread } from '../../../src/kernel/thread/kernel-thread-handle.ts';
import { Fabric } from '../../../src/kernel/topology/fabric.ts';
import type { NodeNetwork } from '../../../src/kernel/topology/node-network.ts';
import { planNode } from '../../helpers/kernel-lab.ts';
import { leaveNothing } from '../../helpers/leak-check.ts';

leaveNothing();

const startThread = (startsAfter = 0): KernelThread =>
  new KernelThread({
    startsAfter,
    onDied: (error) => {
      throw error;
    },
  });
const printed = (netns: NetworkNamespace, ...words: string[]): string =>
  netns.run(() => spawnSync('ip', words, { encoding: 'utf8' }).stdout);

describe.each(['ptp', 'bridge'] as const)('pods that a thread attaches by %s', (cni) => {
  const labOf = (thread: KernelThread): { readonly fabric: Fabric; readonly node: NodeNetwork } => {
    const fabric = Fabric.create(
      { name: 'fabric', addresses: ['172.18.0.1/16', 'fc00:f853:ccd:e793::1/64'], cni },
      thread,
    );
    return { fabric, node: fabric.addNode(planNode(1)) };
  };
  const podOf = (number: number) => ({
    name: `pod-${number}`,
    addresses: [`10.244.1.${number + 1}`, `fd00:10:244:1::${number + 1}`],
  });

  it('have the links and routes of those that are attached here', async () => {
    await using thread = startThread();
    const { fabric, node } = labOf(thread);
    await using _ = fabric;
    const here = node.attachPod(podOf(1));
    const there = await node.attachPodAside(podOf(2));
    const shapeOf = (netns: NetworkNamespace) =>
      `${printed(netns, '-o', 'addr')}${printed(netns, 'route')}${printed(netns, '-6', 'route')}`
        .replaceAll(/@if\d+|^\d+:/gm, '')
        .replaceAll(/10\.244\.1\.[23]\b/g, 'V4')
        .replaceAll(/fd00:10:244:1::[23]\b/g, 'V6')
        .replaceAll(/fe80::\S+/g, 'LINK');
    expect(shapeOf(there.netns)).toBe(shapeOf(here.netns));
    expect(shapeOf(there.netns)).toContain('V4');
    expect([...node.pods.keys()]).toEqual(['pod-1', 'pod-2']);
  });

  it('go like others, and their names are free then', async () => {
    await using thread = startThread();
    const { fabric, node } = labOf(thread);
    await using _ = fabric;
    for (let round = 0; round < 3; round++) {
      const pod = await node.attachPodAside(podOf(1));
      pod.detach();
      pod.detach();
      expect(printed(node.netns, 'route')).not.toContain('10.244.1.2 ');
    }
    expect(node.pods.size).toBe(0);
  });

  it('are many at once', async () => {
    await using thread = startThread();
    const { fabric, node } = labOf(thread);
    await using _ = fabric;
    const pods = await Promise.all(Array.from({ length: 70 }, (_, index) => node.attachPodAside(podOf(index + 1))));
    for (const pod of pods) expect(printed(pod.netns, '-o', 'addr', 'show', 'eth0')).toContain(pod.addresses[0]!);
  });

  it('are refused with the error of this thread when the name is taken', async () => {
    await using thread = startThread();
    const { fabric, node } = labOf(thread);
    await using _ = fabric;
    await node.attachPodAside(podOf(1));
    await expect(node.attachPodAside({ ...podOf(2), name: 'pod-1' })).rejects.toMatchObject({
      code: 'ERR_SYSCALL',
      errno: 'EEXIST',
    });
    expect(node.pods.size).toBe(1);
  });

  it('leave nothing when their node goes meanwhile', async () => {
    await using thread = startThread();
    const { fabric, node } = labOf(thread);
    await using _ = fabric;
    const attaching = node.attachPodAside(podOf(1));
    fabric.removeNode(node.name);
    await expect(attaching).rejects.toThrow();
    await using again = NetworkNamespace.create('pod-1');
    expect(again.name).toBe('pod-1');
  });
});

describe('programs that a thread runs', () => {
  const run = (netns: NetworkNamespace, thread: KernelThread, script: string, input?: string) =>
    runKernelCommand({ netns, thread, command: ['/bin/sh', '-c', script], ...(input === undefined ? {} : { input }) });

  it('are in their namespace, read their input and tell what they print and how they end', async () => {
    await using thread = startThread();
    await using netns = NetworkNamespace.create('node');
    const input = 'line\n'.repeat(100_000);
    const result = await run(netns, thread, 'readlink /proc/self/ns/net; wc -l; echo oh >&2; exit 3', input);
    const namespace = netns.run(() => spawnSync('readlink', ['/proc/self/ns/net'], { encoding: 'utf8' }).stdout);
    expect(result).toEqual({ stdout: `${namespace}100000\n`, stderr: 'oh\n', exitCode: 3, signal: undefined });
  });

  it('have the environment and the descriptors of those that are started here', async () => {
    await using thread = startThread();
    await using never = startThread(Number.POSITIVE_INFINITY);
    await using netns = NetworkNamespace.create('node');
    const script = 'env | sort; ls /proc/self/fd';
    expect(await run(netns, thread, script)).toEqual(await run(netns, never, script));
  });

  it('are ended by signals that this process ignores', async () => {
    await using thread = startThread();
    await using netns = NetworkNamespace.create('node');
    expect(await run(netns, thread, 'kill -PIPE $$')).toMatchObject({ exitCode: undefined, signal: 'SIGPIPE' });
  });

  it('write rules, and the mistake in rules is told as ever', async () => {
    await using thread = startThread();
    await using netns = NetworkNamespace.create('node');
    const iptables = createIptablesRunner(netns, { backend: 'nft', thread });
    await iptables.restore('ipv4', '*nat\n-A OUTPUT -j ACCEPT\nCOMMIT\n', { noflush: true });
    expect(await iptables.save('ipv4', 'nat')).toContain('-A OUTPUT -j ACCEPT');
    await expect(
      iptables.restore('ipv4', '*nat\n-A NONE -j ACCEPT\nCOMMIT\n', { noflush: true }),
    ).rejects.toMatchObject({
      code: 'ERR_KERNEL_COMMAND',
      netns: 'node',
    });
  });

  it('are started here when the thread cannot, which tells why', async () => {
    await using thread = startThread();
    await using netns = NetworkNamespace.create('node');
    await expect(runKernelCommand({ netns, thread, command: ['/no/such/program'] })).rejects.toMatchObject({
      code: 'ERR_MISSING_PROGRAM',
    });
  });

  it('are started here as long as there are few, and once the thread has ended', async () => {
    await using netns = NetworkNamespace.create('node');
    const thread = startThread(1);
    const parentOf = async () => (await run(netns, thread, 'echo $PPID')).stdout;
    expect([await parentOf(), await parentOf()]).toEqual([`${process.pid}\n`, `${process.pid}\n`]);
    await thread[Symbol.asyncDispose]();
    expect(await parentOf()).toBe(`${process.pid}\n`);
  });
});
