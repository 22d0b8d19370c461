import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { runProgram } from '../../../src/kernel/programs/run-program.ts';
import { createIptablesRunner } from '../../../src/kernel/runners/iptables-runner.ts';
import { udpSocket } from '../../../src/kernel/sockets.ts';
import { TableRestorer } from '../../../src/kernel/xtables/table-restorer.ts';
import { printRestore, type RestoreInput } from '../../../src/netfilter/iptables/restore-input.ts';
import type { Family, IptablesRunner } from '../../../src/netfilter/runner.ts';
import { ServiceFacts } from '../../../src/proxy/facts/service-facts.ts';
import { StateTracker } from '../../../src/proxy/facts/state-tracker.ts';
import { IptablesBackend } from '../../../src/proxy/iptables/iptables-backend.ts';
import { buildNodeFacts } from '../../helpers/build-proxy-facts.ts';
import { leaveNothing } from '../../helpers/leak-check.ts';
import { NODES, RandomCluster, ZONES } from '../../helpers/random-services.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';

leaveNothing();

const RUNS = Number(process.env['TOWTANK_PROPERTY_RUNS'] ?? 4);
const EDITS = 12;

const programOf = (family: Family, tool: string): string => `${family === 'ipv4' ? 'ip' : 'ip6'}tables-legacy${tool}`;

/** The program in one namespace beside what does without it in another. */
class Twins implements AsyncDisposable {
  readonly #family: Family;
  readonly #theirs = NetworkNamespace.create('theirs');
  readonly ours = NetworkNamespace.create('ours');
  readonly restorer = new TableRestorer(this.ours, '/run/xtables-ours.lock');

  constructor(family: Family) {
    this.#family = family;
  }

  /** In both; what the restorer leaves is an error here. */
  async restore(input: RestoreInput): Promise<void> {
    await this.program(input, [this.#theirs]);
    expect(printRestore(await this.restorer.restore(this.#family, input))).toBe('');
  }

  async program(input: RestoreInput, namespaces = [this.ours, this.#theirs]): Promise<void> {
    for (const netns of namespaces) {
      const command = [programOf(this.#family, '-restore'), '--noflush'];
      const { exitCode, stderr } = await runProgram({ command, netns }, printRestore(input));
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    }
  }

  /** Whether the program and the kernel can do this; nothing of it stays. */
  async knows(input: string): Promise<boolean> {
    await using scratch = NetworkNamespace.create('scratch');
    const { exitCode } = await runProgram({ command: [programOf(this.#family, '-restore')], netns: scratch }, input);
    return exitCode === 0;
  }

  /** All rules with their counters: of the program, and ours. */
  async saved(): Promise<{ readonly theirs: string; readonly ours: string }> {
    const [theirs, ours] = await Promise.all(
      [this.#theirs, this.ours].map(async (netns) => {
        const { stdout } = await runProgram({ command: [programOf(this.#family, '-save'), '-c'], netns }, '');
        return stdout.replace(/^#.*\n/gm, '');
      }),
    );
    return { theirs: theirs!, ours: ours! };
  }

  async expectSame(): Promise<string> {
    const { theirs, ours } = await this.saved();
    expect(ours).toBe(theirs);
    return ours;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ours[Symbol.asyncDispose]();
    await this.#theirs[Symbol.asyncDispose]();
  }
}

const forEachFamily = describe.each(['ipv4', 'ipv6'] as const);
// A table is there from when a program asked for it.
const TABLES = '*nat\nCOMMIT\n*filter\nCOMMIT\n*mangle\nCOMMIT\n';

forEachFamily('iptables-legacy-restore and what does without it, %s', (family) => {
  const ip = family === 'ipv4' ? '10.96.0.1/32' : 'fd00::1/128';
  const net = family === 'ipv4' ? '10.244.0.0/16' : 'fd00:10::/64';
  const to = family === 'ipv4' ? '10.1.1.1' : '[fd00::7]';

  it('write the same rules of all kinds', async () => {
    await using twins = new Twins(family);
    await twins.program(TABLES);
    const rules = [
      `-A A -d ${ip} -p tcp -m comment --comment "a \\"b\\" c" -m tcp --dport 443 -j B`,
      `-A A -d ${ip} -p udp -m udp --sport 1:9 --dport 53 -j B`,
      `-A A -d ${ip} -p sctp -m sctp --sport 7 --dport 53:54 -j B`,
      `-A A -d ${ip} -p sctp -m sctp -j B`,
      `-A A ! -s ${net} -i eth0 -o veth+ -j B`,
      '-A A ! -p tcp ! -i eth+ -j RETURN',
      '-A A -m addrtype --dst-type LOCAL -j B',
      '-A A -m addrtype ! --src-type LOCAL -j B',
      '-A A -j MARK --set-xmark 0x4000/0x4000',
      '-A A -j MARK --and-mark 0xff',
      '-A A -m mark ! --mark 0x4000/0x4000 -j RETURN',
      '-A A -m statistic --mode random --probability 0.3333333333 -j B',
      '-A A -m statistic --mode nth --every 7 --packet 2 -j B',
      '-A B -m recent --name KUBE-SEP-X --rcheck --seconds 10800 --reap -j ACCEPT',
      `-A B -p tcp -m recent --name KUBE-SEP-X --set -m tcp -j DNAT --to-destination ${to}:80`,
      `-A B -p udp -m udp -j DNAT --to-destination ${to}:53`,
      '-A B -m conntrack --ctstate NEW,RELATED,ESTABLISHED -j ACCEPT',
      '-A B -m conntrack ! --ctstate INVALID,DNAT -j ACCEPT',
      '-A B -m physdev ! --physdev-is-in -g C',
      '-A B -m physdev --physdev-is-in',
      '-A D -j MASQUERADE --random-fully',
      '-A D -j MASQUERADE',
    ];
    const chains = ['D', 'B', 'A', 'C'].map((name) => `:${name} - [0:0]`);
    await twins.restore(['*nat', ...chains, ...rules, '-A OUTPUT -j A', 'COMMIT', ''].join('\n'));
    await twins.restore(
      '*filter\n-A INPUT -p tcp -j REJECT\n-A INPUT -p tcp -j REJECT --reject-with tcp-reset\n-A FORWARD -j DROP\nCOMMIT\n',
    );
    expect(await twins.expectSame()).toContain('--every 7 --packet 2 -j B');
  });

  it('leave what others wrote, with what it counted', async () => {
    await using twins = new Twins(family);
    const icmp = family === 'ipv4' ? 'icmp' : 'ipv6-icmp';
    const foreign = [
      ...[':FOREIGN - [0:0]', ':FOREIGN2 - [0:0]', ':ZULU - [0:0]'],
      '-A INPUT -i lo -j FOREIGN',
      '-A FOREIGN -m limit --limit 3/min -j LOG --log-prefix "x "',
      `-A FOREIGN -p ${icmp} -j ZULU`,
      '-A ZULU -p tcp -m tcp --tcp-flags SYN,RST SYN -j ACCEPT',
      '-A ZULU -p tcp -m multiport --dports 1,2 -g FOREIGN2',
      '-A ZULU',
    ];
    await twins.program(['*filter', ...foreign, 'COMMIT', ''].join('\n'));
    const before = (await twins.saved()).ours;
    const loopback = family === 'ipv4' ? '127.0.0.1' : '::1';
    const socket = await udpSocket(twins.ours, { family, host: loopback });
    for (let count = 0; count < 3; count++) await new Promise((sent) => socket.send('x', 9, loopback, sent));
    socket.close();
    const counted = (await twins.saved()).ours;
    expect(counted).not.toBe(before);
    // Before, between and behind the chains that were there.
    for (const name of ['ALPHA', 'KUBE-SERVICES', 'ZZ']) {
      await twins.restore(
        `*filter\n:${name} - [0:0]\n-A ${name} -j RETURN\n-I INPUT -s ${ip} -j ${name}\n-A ${name} -j FOREIGN\nCOMMIT\n`,
      );
    }
    for (const name of ['ALPHA', 'KUBE-SERVICES', 'ZZ']) {
      await twins.restore(`*filter\n-D INPUT -s ${ip} -j ${name}\nCOMMIT\n`);
      await twins.restore(`*filter\n:${name} - [0:0]\n-X ${name}\nCOMMIT\n`);
    }
    const { theirs, ours } = await twins.saved();
    expect(ours).toBe(counted);
    expect(theirs).toBe(before);
  });

  it.each([
    ['a match that is not ours', '*filter\n-A INPUT -m limit --limit 3/min -j ACCEPT\nCOMMIT\n'],
    ['counters', '*filter\n-A INPUT -c 3 4 -j ACCEPT\nCOMMIT\n'],
    ['a policy', '*filter\n:INPUT DROP [0:0]\nCOMMIT\n'],
    ['a check', '*filter\n-C INPUT -j ACCEPT\nCOMMIT\n'],
    ['a comment', '# nothing\n*filter\nCOMMIT\n'],
    ['a number', '*filter\n-D INPUT 1\nCOMMIT\n'],
    ['a jump into nothing', '*filter\n-A INPUT -j NONE\nCOMMIT\n'],
    ['to drop where only the first packet comes', '*nat\n-A OUTPUT -j DROP\nCOMMIT\n'],
    ['a loop', '*filter\n:A - [0:0]\n-A A -j A\n-A INPUT -j A\nCOMMIT\n'],
    ['a target that the hook does not have', '*nat\n-A POSTROUTING -p tcp -j REJECT\nCOMMIT\n'],
    ['an end that is missing', '*filter\n-A INPUT -j ACCEPT\n'],
    ['a table that is not there', '*tables\nCOMMIT\n'],
  ])('%s is left to the program, and nothing is changed', async (_, text) => {
    await using twins = new Twins(family);
    await twins.program(TABLES);
    const first = '*mangle\n:KUBE-TEST - [0:0]\nCOMMIT\n';
    const { ours } = await twins.saved();
    expect(printRestore(await twins.restorer.restore(family, text))).toBe(text);
    expect((await twins.saved()).ours).toBe(ours);
    // What came before it is done.
    if (text.startsWith('*') && text.endsWith('COMMIT\n'))
      expect(printRestore(await twins.restorer.restore(family, first + text))).toBe(text);
  });

  it.each(Array.from({ length: RUNS }, (_, index) => 5000 + index))(
    'write the same for random Services and changes (seed %i)',
    async (seed) => {
      await using twins = new Twins(family);
      await twins.program(TABLES);
      const random = seededRandom(seed);
      const facts = new ServiceFacts();
      const cluster = new RandomCluster(random, family);
      const node = buildNodeFacts({
        ...{ family, nodeName: NODES[0]!, zone: ZONES[0]! },
        nodeIP: family === 'ipv4' ? '172.18.0.2' : '2001:db8::2',
        localDetector: seed % 2 === 0 ? { kind: 'cidr', cidr: net } : { kind: 'interface', name: 'cbr0' },
        balancing: seed % 3 === 0 ? 'round-robin' : 'random',
      });
      using tracker = new StateTracker(facts, node, () => {});
      const { save, run } = createIptablesRunner(twins.ours, { backend: 'legacy' });
      const runner: IptablesRunner = { save, run, restore: (_family, input) => twins.restore(input) };
      const backend = new IptablesBackend({ family, runner, conntrackTcpBeLiberal: false });
      await backend.sync(tracker.take().state, 'all');
      const history: string[] = [];
      for (let edit = 0; edit < EDITS; edit++) {
        for (let changes = 1 + random() * 5; changes > 0; changes--) history.push(cluster.change(facts));
        const { state, changed } = tracker.take();
        const report = await backend.sync(state, edit % 5 === 4 ? 'all' : changed);
        expect(report.recoveredFrom, history.join('\n')).toBeUndefined();
      }
      expect(await twins.expectSame(), history.join('\n')).toContain('-j KUBE-SERVICES');
      await backend.cleanup();
      expect(await twins.expectSame()).not.toContain('KUBE-SERVICES');
    },
  );
});

// What only some kernels have is left out by the program's own word.
const FOREIGN: Readonly<Record<string, readonly string[]>> = {
  filter: [
    '-m hashlimit --hashlimit-name h --hashlimit-above 3/min --hashlimit-mode srcip',
    '-m quota --quota 1000',
    '-m connlimit --connlimit-above 3',
    '-m string --hex-string "|414243|" --algo kmp',
    '-m time --timestart 10:00 --timestop 11:00',
    '-m u32 --u32 "6&0xFF=1"',
    '-m bpf --bytecode "1,6 0 0 1"',
    '-m helper --helper ftp',
    '-m connbytes --connbytes 1: --connbytes-dir both --connbytes-mode bytes',
    '-m recent --update --seconds 3 --hitcount 2 --name q --rsource',
    '-p tcp -m multiport --ports 1,2,3:9',
    '-m statistic --mode nth --every 5 --packet 3',
    '-m cluster --cluster-total-nodes 2 --cluster-local-node 1 --cluster-hash-seed 1',
    '-p icmp -m icmp --icmp-type 8',
    '-m conntrack --ctstate NEW --ctproto tcp --ctorigsrc 10.0.0.1',
    '-f',
    '-p tcp ! --syn --tcp-option 3',
    '-m comment --comment "it is"',
  ].map((matches) => `-A INPUT ${matches} -j ACCEPT`),
  mangle: [
    ...[
      'LOG --log-prefix "x y"',
      'NFLOG --nflog-group 3',
      'CONNMARK --save-mark',
      'CLASSIFY --set-class 1:1',
      'TOS --set-tos 1',
    ],
    ...['TTL --ttl-set 3', 'CHECKSUM --checksum-fill', 'TEE --gateway 10.0.0.1', 'MARK --set-mark 7'],
  ].map((target) => `-A POSTROUTING -j ${target}`),
  nat: [
    '-A POSTROUTING -j SNAT --to-source 10.0.0.1-10.0.0.9 --persistent',
    '-A PREROUTING -p tcp -j REDIRECT --to-ports 80-90',
    '-A PREROUTING -j NETMAP --to 10.0.0.0/24',
    '-A PREROUTING -p tcp -j DNAT --to-destination 10.0.0.1-10.0.0.5:80-90 --random',
  ],
};

it.each(Object.entries(FOREIGN))(
  'rules of table %s outlive a change, of whatever extensions they are',
  async (table, rules) => {
    await using twins = new Twins('ipv4');
    await twins.program(TABLES);
    const known: string[] = [];
    for (const rule of rules) {
      if (await twins.knows(`*${table}\n${rule}\nCOMMIT\n`)) known.push(rule);
    }
    expect(known.length).toBeGreaterThan(rules.length / 2);
    await twins.program(`*${table}\n:FOREIGN - [0:0]\n${known.join('\n')}\nCOMMIT\n`);
    await twins.restore(`*${table}\n:A - [0:0]\n-A A -j RETURN\n-I OUTPUT -j A\nCOMMIT\n`);
    await twins.restore(`*${table}\n:Z - [0:0]\n-A Z -m mark --mark 3 -j A\n-A A -j FOREIGN\nCOMMIT\n`);
    await twins.restore(`*${table}\n-D OUTPUT -j A\n:Z - [0:0]\n-X Z\nCOMMIT\n`);
    expect(await twins.expectSame()).toContain('-A A -j FOREIGN');
  },
);

it('a lock that somebody holds is the program’s to wait for', async () => {
  await using twins = new Twins('ipv4');
  await twins.program(TABLES);
  const holder = spawn('flock', ['/run/xtables-ours.lock', 'sh', '-c', 'echo held; cat']);
  await once(holder.stdout, 'data');
  const text = '*nat\n:KUBE-TEST - [0:0]\nCOMMIT\n';
  expect(printRestore(await twins.restorer.restore('ipv4', text))).toBe(text);
  holder.stdin.end();
  await once(holder, 'exit');
  expect(await twins.restorer.restore('ipv4', text)).toEqual([]);
});

it('two changes at the same time are both made', async () => {
  await using twins = new Twins('ipv4');
  await twins.program(TABLES);
  const iptables = createIptablesRunner(twins.ours, { backend: 'legacy' });
  const names = Array.from({ length: 12 }, (_, index) => `KUBE-${String.fromCharCode(65 + index)}`);
  await Promise.all(
    names.map((name) => iptables.restore('ipv4', `*nat\n:${name} - [0:0]\nCOMMIT\n`, { noflush: true })),
  );
  const chains = (await iptables.save('ipv4', 'nat')).match(/(?<=^:)KUBE-\w/gm);
  expect(chains).toEqual(names);
});
