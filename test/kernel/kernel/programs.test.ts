import { mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { runProgram } from '../../../src/kernel/programs/run-program.ts';
import { type ProgramSpec, type RunningProgram, runInside, startProgram } from '../../../src/kernel/programs.ts';
import { leaveNothing } from '../../helpers/leak-check.ts';

leaveNothing();

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'towtank-programs-'));
  writeFileSync(join(folder, 'hosts'), '10.244.1.2 web\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

const sh = (script: string): Pick<ProgramSpec, 'command'> => ({ command: ['sh', '-c', script] });
const podOf = (overrides: Partial<NonNullable<ProgramSpec['sandbox']>> = {}) => ({
  hostname: 'web-1',
  files: { '/etc/hosts': join(folder, 'hosts') },
  proc: true,
  ...overrides,
});

async function stopped(program: RunningProgram): Promise<void> {
  program.kill('SIGKILL');
  await program.exited;
}

describe('a program', () => {
  it('runs in its network namespace, and the supervisor stays where it was', async () => {
    await using netns = NetworkNamespace.create('one');
    const { stdout } = await runProgram({ ...sh('readlink /proc/self/ns/net'), netns });
    expect(stdout.trim()).toBe(netns.run(nameOf));
    expect(stdout.trim()).not.toBe(nameOf());
  });

  it('has the host name that it is given, and nobody else has', async () => {
    const { stdout } = await runProgram({ ...sh('hostname; readlink /proc/self/ns/mnt'), hostname: 'node-1' });
    expect(stdout).toBe(`node-1\n${readlinkSync('/proc/self/ns/mnt')}\n`);
    expect(await runProgram(sh('hostname'))).toMatchObject({ stdout: `${hostname()}\n` });
    expect(hostname()).not.toBe('node-1');
  });

  it('gets its words, environment, directory and input as they are', async () => {
    const spec = { ...sh('pwd; echo "$A|$1"; cat'), env: { A: 'x y', PATH: '/usr/bin:/bin' }, cwd: '/usr' };
    const result = await runProgram({ ...spec, command: [...spec.command, 'sh', 'two  words'] }, 'from input');
    expect(result).toEqual({ stdout: '/usr\nx y|two  words\nfrom input', stderr: '', exitCode: 0, signal: undefined });
  });

  it('without input reads its end at once', async () => {
    expect(await runProgram(sh('cat; echo end'))).toMatchObject({ stdout: 'end\n' });
  });

  it.each([
    ['exit 3', { exitCode: 3, signal: undefined }],
    ['kill -TERM $$', { exitCode: undefined, signal: 'SIGTERM' }],
  ])('`%s` is told as it ended', async (script, end) => {
    expect(await startProgram(sh(script)).exited).toEqual(end);
  });

  it('that has ended can be killed again without harm', async () => {
    const program = startProgram(sh('exit 0'));
    await program.exited;
    expect(() => program.kill('SIGKILL')).not.toThrow();
  });

  it.each([
    [['no-such-program'], 'ERR_MISSING_PROGRAM', 'executable file not found in $PATH'],
    [['/no/such/program'], 'ERR_MISSING_PROGRAM', 'no such file or directory'],
    [['/etc/passwd'], 'ERR_PERMISSION', 'permission denied'],
    [[], 'ERR_MISSING_PROGRAM', 'the command is empty'],
  ])('%j does not start, with and without a sandbox, in the words of container runtimes', (command, code, words) => {
    for (const sandbox of [undefined, podOf()]) {
      const spec = sandbox === undefined ? { command } : { command, sandbox };
      expect(() => startProgram(spec)).toThrow(
        expect.objectContaining({ code, message: expect.stringContaining(words) }),
      );
    }
  });

  it('whose directory or interpreter is missing does not start', () => {
    expect(() => startProgram({ command: ['true'], cwd: '/no/such/folder' })).toThrow(/cannot be started/);
    const script = join(folder, 'script');
    writeFileSync(script, '#!/no/such/interpreter\n', { mode: 0o755 });
    expect(() => startProgram({ command: [script] })).toThrow(/cannot be started/);
  });
});

describe('a program with namespaces of its own', () => {
  it('sees its host name, its files and its processes, of which it is the first', async () => {
    await using netns = NetworkNamespace.create('one');
    const { stdout } = await runProgram({
      ...sh('hostname; cat /etc/hosts; echo $$; ls -d /proc/[0-9]* | head -n1'),
      netns,
      sandbox: podOf(),
    });
    expect(stdout).toBe('web-1\n10.244.1.2 web\n1\n/proc/1\n');
    expect(readFileSync('/etc/hosts', 'utf8')).not.toBe('10.244.1.2 web\n');
    expect((await runProgram({ command: ['hostname'] })).stdout).not.toBe('web-1\n');
  });

  it('sees folders mounted for it, and cannot write to those that are read-only', async () => {
    const mounts = [{ source: folder, target: '/mnt', readOnly: true }];
    const { stdout, stderr } = await runProgram({
      ...sh('cat /mnt/hosts; echo x >/mnt/x'),
      sandbox: podOf({ mounts }),
    });
    expect(stdout).toBe('10.244.1.2 web\n');
    expect(stderr).toMatch(/Read-only file system/);
  });

  it('takes all its children along when it ends', async () => {
    const program = startProgram({ ...sh('sleep 1000 & sleep 1000 & echo started; wait'), sandbox: podOf() });
    await new Promise((resolve) => program.stdout.once('data', resolve));
    await stopped(program);
    // The leak check at the end of the file names those left.
  });

  it('may share the processes of the supervisor', async () => {
    const { stdout } = await runProgram({ ...sh('echo $$; hostname'), sandbox: podOf({ proc: false }) });
    expect(stdout).toMatch(/^\d{2,}\nweb-1\n$/);
  });

  it('is joined by others, who see what it sees', async () => {
    await using netns = NetworkNamespace.create('one');
    const program = startProgram({ command: ['sleep', '1000'], netns, sandbox: podOf() });
    await expect.poll(async () => (await inside(program, netns, 'cat /proc/1/comm')).stdout).toBe('sleep\n');
    expect((await inside(program, netns, 'hostname; cat /etc/hosts; readlink /proc/self/ns/net; pwd')).stdout).toBe(
      `web-1\n10.244.1.2 web\n${netns.run(nameOf)}\n/\n`,
    );
    await stopped(program);
  });

  it('can no longer be joined when it is gone', async () => {
    const program = startProgram({ ...sh('exit 0'), sandbox: podOf() });
    await program.exited;
    expect(() => runInside(program.pid, sh('true'))).toThrow(expect.objectContaining({ code: 'ERR_SYSCALL' }));
  });

  it('leaves the supervisor its directory, mounts, host name and processes', async () => {
    const picture = () => [
      process.cwd(),
      readFileSync('/proc/thread-self/mountinfo', 'utf8'),
      readFileSync('/etc/hosts', 'utf8'),
    ];
    const before = picture();
    for (let i = 0; i < 5; i++) await runProgram({ command: ['true'], sandbox: podOf() });
    expect(() => startProgram({ command: ['nothing'], sandbox: podOf() })).toThrow();
    expect(() => startProgram({ command: ['true'], sandbox: podOf({ files: { '/no/such': '/nothing' } }) })).toThrow();
    expect(picture()).toEqual(before);
    expect((await runProgram(sh('echo $$'))).stdout.trim()).not.toBe('1');
  });
});

describe('a program with a terminal', () => {
  it.each([
    ['in a sandbox', podOf],
    ['without', undefined],
  ])('%s: it has a controlling terminal of the size set, and one stream', async (_, sandbox) => {
    const script = 'tty >/dev/null && : >/dev/tty && stty size; read line; stty size; echo "got $line" >&2; exit 7';
    const spec = sandbox === undefined ? sh(script) : { ...sh(script), sandbox: sandbox() };
    const program = startProgram({ ...spec, tty: true });
    const output = text(program.stdout);
    program.resize(100, 40);
    program.stdin.write('hello\n');
    expect(await program.exited).toEqual({ exitCode: 7, signal: undefined });
    // The program may look before the size is set, and the terminal echoes what is typed at any time.
    expect(await output).toMatch(/\d+ \d+\r\n.*40 100\r\ngot hello\r\n$/s);
  });

  it('is interrupted by Ctrl-C', async () => {
    const program = startProgram({ ...sh('echo ready; exec sleep 1000'), tty: true });
    await new Promise((resolve) => program.stdout.once('data', resolve));
    program.stdin.write('\x03');
    expect(await program.exited).toEqual({ exitCode: undefined, signal: 'SIGINT' });
  });
});

function nameOf(): string {
  return readlinkSync('/proc/thread-self/ns/net');
}

async function inside(program: RunningProgram, netns: NetworkNamespace, script: string) {
  const other = runInside(program.pid, { ...sh(script), netns });
  const [stdout] = await Promise.all([text(other.stdout), other.exited]);
  return { stdout };
}
