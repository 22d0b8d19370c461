import { spawn } from 'node:child_process';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { runTowtank } from '../../helpers/run-towtank.ts';

const objects = new URL('../../../examples/objects.yaml', import.meta.url).pathname;
const rules = (...words: readonly string[]) => runTowtank(['rules', '--node-name', 'node-1', ...words], {});

describe('towtank rules', () => {
  it('prints what iptables-restore accepts, with the way of a packet', () => {
    const { exitCode, stdout } = rules('-f', objects, '--packet', 'src=10.244.0.9 dst=10.96.0.10:80/tcp from=pod');
    expect(exitCode).toBe(0);
    expect(stdout).toContain(
      '-A KUBE-SERVICES -d 10.96.0.10/32 -p tcp -m comment --comment "default/web:http cluster IP"',
    );
    expect(stdout).toContain('from=pod: deliver');
    expect(stdout).toContain('#   to 10.244.0.7:8080, 50.0 %');
  });

  it('prints an nftables table, and JSON', () => {
    expect(rules('-f', objects, '--mode', 'nftables').stdout).toContain('table ip kube-proxy {');
    const { stdout } = rules(
      '-f',
      objects,
      '-o',
      'json',
      '--packet',
      'dst=172.18.0.2:30080/tcp src=192.0.2.1 from=outside',
    );
    expect(JSON.parse(stdout)).toMatchObject({ nodeName: 'node-1', mode: 'iptables' });
  });

  it('reads standard input', () => {
    expect(
      runTowtank(['rules', '-f', '-', '--node-name', 'node-1'], {}, readFileSync(objects, 'utf8')).stdout,
    ).toContain('KUBE-SERVICES');
  });

  it.each([
    [['-f', '/no/such'], 'cannot read /no/such'],
    [[], "required option '-f, --file <objects.yaml>' not specified"],
    [['-f', '-'], 'there is no object in standard input'],
    [['-f', objects, '--node-ip', '172.18.0'], '--node-ip: "172.18.0" is no IP address'],
    [['-f', objects, '--node-name', ''], '--node-name is empty'],
    [['-f', objects, '--packet', 'nonsense'], 'nonsense'],
    [['-f', objects, '--mode', 'ipvs'], 'Allowed choices are iptables, nftables'],
  ])('refuses %j and exits 2', (words, message) => {
    const { exitCode, stderr } = rules(...words);
    expect(stderr).toContain(message);
    expect(exitCode).toBe(2);
  });
});

describe('towtank dns serve', () => {
  it('serves the objects of a file', async () => {
    const launcher = new URL('../../../towtank', import.meta.url).pathname;
    const server = spawn(launcher, ['dns', 'serve', '-f', objects, '--listen', '127.0.0.1:0'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const [line = ''] = (await once(createInterface({ input: server.stderr }), 'line')) as string[];
    const port = /127\.0\.0\.1:(\d+)/.exec(line)?.[1];
    const resolver = new Resolver();
    resolver.setServers([`127.0.0.1:${port}`]);
    expect(await resolver.resolve4('web.default.svc.cluster.local')).toEqual(['10.96.0.10']);
    server.kill('SIGTERM');
    const [exitCode] = (await once(server, 'exit')) as [number];
    expect(exitCode).toBe(0);
  });

  it('refuses an address that is none', () => {
    const { exitCode, stderr } = runTowtank(['dns', 'serve', '-f', objects, '--listen', 'everywhere'], {});
    expect(stderr).toContain('--listen everywhere is no address and port');
    expect(exitCode).toBe(2);
  });
});
