import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runTowtank } from '../../helpers/run-towtank.ts';

const folder = mkdtempSync(join(tmpdir(), 'tt-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const env = { TOWTANK_STATE_DIR: join(folder, 'state'), NO_COLOR: '1' };
const towtank = (...words: readonly string[]) => runTowtank(words, env);

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe('bad input on the command line', () => {
  it.each([
    [['frobnicate'], 'unknown command "frobnicate"'],
    [['frobnicate', 'it', '-x'], 'unknown command "frobnicate"'],
    [['kubectl', 'get', 'pods', '-A'], 'export KUBECONFIG=$(towtank kubeconfig --path)'],
    [['--nodez'], "unknown option '--nodez'"],
    [['up', '--nodez', '3'], "unknown option '--nodez'"],
    [['up', '--nodes', 'many'], "option '--nodes <count>' argument 'many' is invalid"],
    [['up', '--nodes', '0'], 'spec.nodes: must be a whole number from 1 to 250'],
    [['up', '--proxy-mode', 'ipvs'], 'Allowed choices are iptables, nftables'],
    [['up', '-f', '/no/such/file'], 'cannot read /no/such/file'],
    [['up', '--name', 'Bad_Name'], 'must be 1 to 40 lower case letters'],
    [['status'], 'no cluster named towtank is running'],
    [['down', '--name', 'nosuch'], 'no cluster named nosuch is running'],
    [['completion', 'tcsh'], 'no completion for "tcsh"'],
  ])('towtank %j says what is wrong and exits 2', (words, message) => {
    const { exitCode, stderr } = towtank(...words);
    expect(stderr).toContain(message);
    expect(exitCode).toBe(2);
  });

  it.each([
    ['spec: {nodez: 3}', 'spec.nodez: unknown field; known here: nodes, network, proxy, dns, api'],
    ['spec: [', 'cluster.yaml: '],
    ['kind: Pod', 'kind: must be one of Cluster'],
    ['spec: {dns: {nodeLocalDNS: maybe}}', 'spec.dns.nodeLocalDNS: must be true or false'],
    ['spec: {dns: {nodeLocalDNS: true, replicas: 0}}', 'spec.dns.nodeLocalDNS: needs spec.dns.replicas of at least 1'],
  ])('cluster.yaml %j is refused by field', (text, message) => {
    const { exitCode, stderr } = towtank('up', '-f', file('cluster.yaml', text));
    expect(stderr).toContain(message);
    expect(exitCode).toBe(2);
  });

  it('an API port that is taken is named', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const { exitCode, stderr } = towtank('up', '--api-port', String(port));
    server.close();
    expect(stderr).toContain(`cannot listen on 127.0.0.1:${port}`);
    expect(exitCode).toBe(2);
  });

  it('a state folder that cannot be made is named', () => {
    const path = file('not-a-folder', '');
    const { exitCode, stderr } = runTowtank(['up'], { ...env, TOWTANK_STATE_DIR: join(path, 'state') });
    expect(stderr).toContain('the state folder');
    expect(stderr).toContain('TOWTANK_STATE_DIR');
    expect(exitCode).toBe(2);
  });

  it.runIf(process.getuid?.() !== 0)(
    'a state folder that may not be written is named [root may write everywhere]',
    () => {
      const locked = join(folder, 'locked');
      mkdirSync(locked);
      chmodSync(locked, 0o500);
      const { exitCode, stderr } = runTowtank(['up'], { ...env, TOWTANK_STATE_DIR: join(locked, 'state') });
      expect(stderr).toContain('cannot be used');
      expect(exitCode).toBe(2);
    },
  );

  it('a state folder whose path is too long for a socket is named', () => {
    const { exitCode, stderr } = runTowtank(['up'], { ...env, TOWTANK_STATE_DIR: join(folder, 'x'.repeat(120)) });
    expect(stderr).toContain('longer than a socket');
    expect(exitCode).toBe(2);
  });
});

describe('every command explains itself', () => {
  const { stdout } = towtank('--help');
  const commands = [...stdout.matchAll(/^ {2}([a-z]+) /gm)]
    .map(([, name = '']) => name)
    .filter((name) => !['towtank', 'help', 'kubectl', 'export'].includes(name));
  it('there are the documented ones', () => {
    expect(commands).toEqual(
      expect.arrayContaining([
        'up',
        'down',
        'status',
        'demo',
        'exec',
        'shell',
        'kubeconfig',
        'doctor',
        'version',
        'completion',
      ]),
    );
  });
  it.each(commands)('%s --help shows examples', (command) => {
    const help = towtank(command, '--help');
    expect(help.exitCode).toBe(0);
    expect(help.stdout).toContain('Examples:');
  });
});

describe('from up to down', () => {
  it('walks the whole way', () => {
    expect(towtank('up', '--name', 'cli', '--nodes', '2').stdout).toMatch(/cluster cli is up: 2 nodes in \d/);
    expect(towtank('up', '--name', 'cli').stderr).toContain('a cluster named cli is running already');
    const status = JSON.parse(towtank('status', '--name', 'cli', '-o', 'json').stdout);
    expect(status).toMatchObject({ name: 'cli', nodes: [{ name: 'node-1', ready: true }, { name: 'node-2' }] });
    expect(towtank('status', '--name', 'cli', '-o', 'yaml').stdout).toContain('name: cli');
    expect(towtank('status', '--name', 'cli').stdout).toContain('NODE     STATUS');
    expect(towtank('exec', '--name', 'cli', 'node-2', '--', 'ip', '-br', 'address').stdout).toContain('172.18.0.3/16');
    // A shell's prompt tells where it is.
    for (const place of ['node-2', 'client'])
      expect(towtank('exec', '--name', 'cli', place, '--', 'hostname').stdout).toBe(`${place}\n`);
    expect(runTowtank(['exec', '--name', 'cli', 'client', '--', 'cat'], env, 'through').stdout).toBe('through');
    expect(towtank('exec', '--name', 'cli', 'client', '--', 'sh', '-c', 'exit 7').exitCode).toBe(7);
    expect(towtank('exec', '--name', 'cli', 'nosuch', '--', 'true').stderr).toContain('pods "nosuch" not found');
    expect(towtank('exec', '--name', 'cli', 'client', '--', 'no-such-program').exitCode).not.toBe(0);
    expect(towtank('kubeconfig', '--name', 'cli').stdout).toContain('current-context');
    expect(towtank('down', '--name', 'cli').stdout).toBe('cluster cli is down\n');
    expect(towtank('down', '--all').stdout).toBe('no cluster is running\n');
  });
});
