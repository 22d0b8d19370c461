import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { runProgram } from '../../../src/kernel/programs/run-program.ts';
import { createConntrackRunner } from '../../../src/kernel/runners/conntrack-runner.ts';
import { createIptablesRunner } from '../../../src/kernel/runners/iptables-runner.ts';
import { createNftRunner } from '../../../src/kernel/runners/nft-runner.ts';
import { udpSocket } from '../../../src/kernel/sockets.ts';
import { createLab } from '../../helpers/kernel-lab.ts';
import { leaveNothing } from '../../helpers/leak-check.ts';

leaveNothing();

describe.each(['nft', 'legacy'] as const)('iptables by its %s back end', (backend) => {
  describe.each(['ipv4', 'ipv6'] as const)('for %s', (family) => {
    const rules =
      '*nat\n:KUBE-SERVICES - [0:0]\n-A OUTPUT -j KUBE-SERVICES\n-A KUBE-SERVICES -p tcp -m tcp --dport 80 -j RETURN\nCOMMIT\n';

    it('restores a table, saves it and finds its rules', async () => {
      await using netns = NetworkNamespace.create('node');
      const iptables = createIptablesRunner(netns, { backend });
      await iptables.restore(family, rules, { noflush: true });
      expect(await iptables.save(family, 'nat')).toContain('-A KUBE-SERVICES -p tcp -m tcp --dport 80 -j RETURN');
      const check = ['-t', 'nat', '-C', 'OUTPUT', '-j', 'KUBE-SERVICES'];
      expect(await iptables.run(family, check)).toMatchObject({ exitCode: 0 });
      expect(await iptables.run(family, ['-t', 'nat', '-C', 'INPUT', '-j', 'KUBE-SERVICES'])).toMatchObject({
        exitCode: 1,
      });
    });

    it('tells when anybody changes rules, and only then', async () => {
      await using netns = NetworkNamespace.create('node');
      const iptables = createIptablesRunner(netns, { backend });
      await iptables.restore(family, `*mangle\nCOMMIT\n*filter\nCOMMIT\n${rules}`, { noflush: true });
      const seen = [await iptables.generation!(family)];
      await iptables.restore(family, '*nat\n-S KUBE-SERVICES\n-C OUTPUT -j KUBE-SERVICES\nCOMMIT\n', { noflush: true });
      await iptables.save(family);
      expect(await iptables.generation!(family)).toBe(seen[0]);
      // What the kernel says of a table of iptables-legacy leaves its policies out.
      const policy = backend === 'nft' ? ['-t mangle -P INPUT DROP'] : [];
      for (const args of ['-t nat -A INPUT -j ACCEPT', '-t filter -N A', ...policy, '-t nat -F OUTPUT']) {
        await iptables.run(family, args.split(' '));
        const generation = await iptables.generation!(family);
        expect(seen).not.toContain(generation);
        seen.push(generation);
      }
      expect(seen).not.toContain(undefined);
    });

    it('a question of a restore changes nothing, and is refused when the answer is no', async () => {
      await using netns = NetworkNamespace.create('node');
      const iptables = createIptablesRunner(netns, { backend });
      await iptables.restore(family, rules, { noflush: true });
      const before = await iptables.save(family, 'nat');
      const ask = (question: string) => iptables.restore(family, `*nat\n${question}\nCOMMIT\n`, { noflush: true });
      await ask('-C KUBE-SERVICES -p tcp -m tcp --dport 80 -j RETURN');
      for (const question of [
        '-S NO-SUCH',
        '-C OUTPUT -j NO-SUCH',
        '-C KUBE-SERVICES -p tcp -m tcp --dport 80 -j ACCEPT',
      ])
        await expect(ask(question)).rejects.toMatchObject({ code: 'ERR_KERNEL_COMMAND' });
      expect(rulesOf(await iptables.save(family, 'nat'))).toEqual(rulesOf(before));
    });

    it('a restore without noflush empties the table first', async () => {
      await using netns = NetworkNamespace.create('node');
      const iptables = createIptablesRunner(netns, { backend });
      await iptables.restore(family, rules, { noflush: true });
      await iptables.restore(family, '*nat\n-A OUTPUT -j ACCEPT\nCOMMIT\n', { noflush: false });
      expect(rulesOf(await iptables.save(family, 'nat'))).toEqual(['-A OUTPUT -j ACCEPT']);
    });

    it('a mistake in the rules changes nothing and is told with the program’s words, its status and the namespace', async () => {
      await using netns = NetworkNamespace.create('node');
      const iptables = createIptablesRunner(netns, { backend });
      await iptables.restore(family, rules, { noflush: true });
      const before = await iptables.save(family, 'nat');
      const wrong = '*nat\n-F KUBE-SERVICES\n-A OUTPUT -j NO-SUCH-CHAIN\nCOMMIT\n';
      await expect(iptables.restore(family, wrong, { noflush: true })).rejects.toMatchObject({
        code: 'ERR_KERNEL_COMMAND',
        netns: 'node',
        stderr: expect.stringMatching(/NO-SUCH-CHAIN/),
      });
      expect(rulesOf(await iptables.save(family, 'nat'))).toEqual(rulesOf(before));
    });
  });
});

// Of IPv4 only: ip6tables-restore 1.8.9 forgets the counters of rules with its nft back end.
it.each(['nft', 'legacy'] as const)('the %s back end restores counters on demand', async (backend) => {
  await using netns = NetworkNamespace.create('node');
  const iptables = createIptablesRunner(netns, { backend });
  const rule = '*nat\n[7:420] -A OUTPUT -j ACCEPT\nCOMMIT\n';
  const count = async () => (await iptables.run('ipv4', ['-t', 'nat', '-L', 'OUTPUT', '-v', '-x', '-n'])).stdout;
  await iptables.restore('ipv4', rule, { noflush: false });
  expect(await count()).toMatch(/^\s+0\s+0 ACCEPT/m);
  await iptables.restore('ipv4', rule, { noflush: false, counters: true });
  expect(await count()).toMatch(/^\s+7\s+420 ACCEPT/m);
});

it('legacy iptables of one node does not wait for that of another', async () => {
  await using one = NetworkNamespace.create('one');
  await using two = NetworkNamespace.create('two');
  // `flock` holds the lock of node one for as long as its standard input is open.
  const holder = spawn('flock', ['/run/xtables-one.lock', 'sh', '-c', 'echo held; cat']);
  await once(holder.stdout, 'data');
  const started = performance.now();
  await createIptablesRunner(two, { backend: 'legacy' }).restore('ipv4', '*nat\nCOMMIT\n', { noflush: true });
  expect(performance.now() - started).toBeLessThan(1_000);
  const waiting = createIptablesRunner(one, { backend: 'legacy' }).restore('ipv4', '*nat\nCOMMIT\n', { noflush: true });
  let done = false;
  void waiting.then(() => {
    done = true;
  });
  await createIptablesRunner(two, { backend: 'legacy' }).save('ipv4', 'nat');
  expect(done).toBe(false);
  holder.stdin.end();
  await waiting;
});

it('legacy iptables works on a node with the longest name there can be', async () => {
  await using netns = NetworkNamespace.create('n'.repeat(253));
  const iptables = createIptablesRunner(netns, { backend: 'legacy' });
  await iptables.restore('ipv4', '*nat\n-A OUTPUT -j ACCEPT\nCOMMIT\n', { noflush: true });
  expect(rulesOf(await iptables.save('ipv4', 'nat'))).toEqual(['-A OUTPUT -j ACCEPT']);
});

describe('nft', () => {
  const table =
    'table ip towtank {\n chain output {\n type filter hook output priority 0\n ct state new accept\n }\n}\n';

  it('runs a script, lists what came of it, and undefined for a table that is not there', async () => {
    await using netns = NetworkNamespace.create('node');
    const nft = createNftRunner(netns);
    expect(await nft.listTable('ip', 'towtank')).toBeUndefined();
    await nft.run(table);
    expect(await nft.listTable('ip', 'towtank')).toContain('ct state new accept');
  });

  it('tells when anybody changes rules, and only then', async () => {
    await using netns = NetworkNamespace.create('node');
    const nft = createNftRunner(netns);
    const first = await nft.generation!();
    expect(first).toBeDefined();
    await nft.run(table);
    const second = await nft.generation!();
    expect(second).not.toBe(first);
    await nft.listTable('ip', 'towtank');
    expect(await nft.generation!()).toBe(second);
    await nft.apply!({ family: 'ip', table: 'towtank', operations: [{ kind: 'delete-chain', chain: 'output' }] });
    expect([first, second]).not.toContain(await nft.generation!());
  });

  it('only checks a script on demand', async () => {
    await using netns = NetworkNamespace.create('node');
    const nft = createNftRunner(netns);
    await nft.run(table, { check: true });
    expect(await nft.listTable('ip', 'towtank')).toBeUndefined();
    await expect(nft.run('table ip towtank {\n nonsense\n}\n', { check: true })).rejects.toMatchObject({
      code: 'ERR_KERNEL_COMMAND',
    });
  });

  it('a script of a thousand lines with one mistake changes nothing', async () => {
    await using netns = NetworkNamespace.create('node');
    const nft = createNftRunner(netns);
    const chains = Array.from({ length: 1_000 }, (_, i) => `add chain ip towtank c${i}\n`).join('');
    const script = `add table ip towtank\n${chains}add rule ip towtank c0 jump nowhere\n`;
    await expect(nft.run(script)).rejects.toMatchObject({ code: 'ERR_KERNEL_COMMAND', netns: 'node' });
    expect(await nft.listTable('ip', 'towtank')).toBeUndefined();
  });
});

describe.each(['ipv4', 'ipv6'] as const)('connection tracking of %s', (family) => {
  it('lists flows with both directions, deletes just the given ones and counts them', async () => {
    await using lab = await createLab({ nodes: 1, podsPerNode: 1 });
    const [node] = lab.nodes;
    const [pod] = lab.pods;
    await lab.serve(pod!, { port: 53 });
    await createNftRunner(node!.netns).run(
      'table inet track {\n chain forward {\n type filter hook output priority 0\n ct state new accept\n }\n}\n',
    );
    const host = lab.addressOf(pod!, family);
    for (const protocol of ['udp', 'tcp'] as const) await lab.ask(node!, { host, port: 53, protocol });
    const conntrack = createConntrackRunner(node!.netns);
    const flows = await conntrack.list(family, 'udp');
    expect(flows).toMatchObject([
      {
        family,
        protocol: 'udp',
        original: { source: lab.addressOf(node!, family), destination: host, destinationPort: 53 },
        reply: { source: host, destination: lab.addressOf(node!, family), sourcePort: 53 },
      },
    ]);
    expect(await conntrack.delete(flows)).toBe(1);
    expect(await conntrack.delete(flows)).toBe(0);
    expect(await conntrack.delete([])).toBe(0);
    expect(await conntrack.list(family, 'udp')).toEqual([]);
    expect(await conntrack.list(family, 'tcp')).toHaveLength(1);
  });
});

it('a flow that was translated anew is not deleted in the stead of the one listed', async () => {
  await using netns = NetworkNamespace.create('node');
  const nft = createNftRunner(netns);
  const translateTo = (port: number) =>
    nft.run(
      `add table ip nat\nadd chain ip nat output { type nat hook output priority -100; }\nflush chain ip nat output\n` +
        `add rule ip nat output udp dport 53 dnat to 127.0.0.1:${port}\n`,
    );
  const socket = await udpSocket(netns, { family: 'ipv4', host: '127.0.0.1', port: 4000 });
  const send = () => new Promise((resolve) => socket.send('x', 53, '127.0.0.1', resolve));
  const conntrack = createConntrackRunner(netns);
  await translateTo(1001);
  await send();
  const [listed] = await conntrack.list('ipv4', 'udp');
  expect(listed?.reply.sourcePort).toBe(1001);
  expect(await conntrack.delete([listed!])).toBe(1);
  await translateTo(1002);
  await send();
  expect(await conntrack.delete([listed!])).toBe(0);
  expect(await conntrack.list('ipv4', 'udp')).toMatchObject([{ reply: { sourcePort: 1002 } }]);
  // A copy has lost the kernel's number and is known by its addresses.
  const [copy] = await conntrack.list('ipv4', 'udp');
  expect(await conntrack.delete([{ ...copy! }])).toBe(1);
  socket.close();
});

it('thousands of flows are listed and deleted, and the program conntrack agrees', async () => {
  await using netns = NetworkNamespace.create('node');
  await createNftRunner(netns).run(
    'table ip track {\n chain c {\n type filter hook output priority 0\n ct state new accept\n }\n}\n',
  );
  const socket = await udpSocket(netns, { family: 'ipv4', host: '127.0.0.1', port: 4000 });
  socket.on('error', () => {});
  const send = (port: number) => new Promise((resolve) => socket.send('x', port, '127.0.0.1', resolve));
  for (let port = 10_000; port < 13_000; port++) await send(port);
  const conntrack = createConntrackRunner(netns);
  const flows = await conntrack.list('ipv4', 'udp');
  expect(new Set(flows.map(({ original }) => original.destinationPort)).size).toBe(3_000);
  const counted = async () => (await runProgram({ command: ['conntrack', '-C'], netns })).stdout.trim();
  expect(await counted()).toBe('3000');
  expect(await conntrack.delete(flows.slice(0, 2_000))).toBe(2_000);
  expect(await counted()).toBe('1000');
  socket.close();
});

function rulesOf(saved: string): string[] {
  return saved.split('\n').filter((line) => line.startsWith('-A'));
}
