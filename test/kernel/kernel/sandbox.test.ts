import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { configureNewNamespace } from '../../../src/kernel/network-namespace.ts';
import { joinCommand, killSandbox, processStartTime } from '../../../src/kernel/sandbox.ts';
import { leaveNothing } from '../../helpers/leak-check.ts';

interface Launched {
  readonly outerPid: number;
  readonly innerPid: number;
  readonly innerStartTime: string;
  readonly port: number;
}

interface Facts {
  readonly pid: number;
  readonly uid: number;
  readonly arguments: readonly string[];
  readonly stateFolder: readonly string[];
  readonly resolvers: string;
  readonly sleeper: number;
  readonly answer: unknown;
  readonly mounts: readonly string[];
}

const launcher = new URL('../../helpers/sandbox/launcher.ts', import.meta.url).pathname;
leaveNothing();
// The sandboxes' API is asked over 127.0.0.1.
beforeAll(() => configureNewNamespace());

// What Docker leaves root of a container.
const dockerCapabilities =
  'chown,dac_override,fowner,fsetid,kill,setgid,setuid,setpcap,net_bind_service,net_raw,sys_chroot,mknod,audit_write,setfcap';
const withCapabilities = (names: string) => {
  const set = `-all,${names.split(',').map((name) => `+${name}`)}`;
  return ['setpriv', `--bounding-set=${set}`, '--inh-caps=-all'];
};

const users: readonly (readonly [string, readonly string[]])[] = [
  ['an administrator', []],
  // Has to make a user namespace, as every ordinary user; that its uid is 0 takes CAP_SETFCAP to map.
  ['somebody without privileges', withCapabilities('setfcap')],
];

function runLauncher(
  stateDir: string,
  prefix: readonly string[],
  args: readonly string[] = ['web'],
): Record<string, unknown> {
  const words = [...prefix, process.execPath, launcher, stateDir, ...args];
  const { stdout, stderr } = spawnSync(words[0]!, words.slice(1), { encoding: 'utf8' });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as Record<string, unknown>;
}

function stateFolder(parent = tmpdir()): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(parent, 'towtank-sandbox-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

function launch(stateDir: string, prefix: readonly string[], args?: readonly string[]): Launched & AsyncDisposable {
  const launched = runLauncher(stateDir, prefix, args);
  expect(launched).not.toHaveProperty('error');
  const sandbox = launched as unknown as Launched;
  return { ...sandbox, [Symbol.asyncDispose]: () => killSandbox(sandbox) };
}

// The listening socket exists before the sandbox does: a connection waits in its queue until the supervisor accepts it.
async function askSupervisor({ port }: Launched): Promise<Facts> {
  return (await (await fetch(`http://127.0.0.1:${port}/`)).json()) as Facts;
}

// Everything in the sandbox descends from its pid 1, the dead that wait to be buried too.
function pidsInside({ innerPid }: Launched): number[] {
  const parents = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map((pid) => [Number(pid), Number(statusOf(Number(pid), 'PPid'))] as const);
  const found = [innerPid];
  for (const pid of found) found.push(...parents.filter(([, parent]) => parent === pid).map(([child]) => child));
  return found;
}

async function allGone(pids: readonly number[]): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (pids.some((pid) => processStartTime(pid) !== undefined)) {
    if (Date.now() > deadline)
      throw new Error(`still there: ${pids.filter((pid) => processStartTime(pid) !== undefined)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe.each(users)('a sandbox of %s', (_, prefix) => {
  it('has a supervisor that is its root, with a lab whose pods reach each other, and serves the host', async () => {
    using folder = stateFolder();
    await using sandbox = launch(folder.path, prefix);
    const facts = await askSupervisor(sandbox);
    expect(facts).toMatchObject({ uid: 0, arguments: ['web', 'two words'], answer: { answer: 'web' } });
    expect(facts.mounts).toEqual(expect.arrayContaining(['/run tmpfs', '/sys sysfs', '/proc proc']));
    expect(readFileSync(`${folder.path}/log`, 'utf8')).toBe('');
  });

  it('keeps its state folder also when that is under /run, which is its own otherwise', async () => {
    using folder = stateFolder('/run');
    await using sandbox = launch(folder.path, prefix);
    expect((await askSupervisor(sandbox)).stateFolder).toEqual(['log']);
  });

  it('gives pods their resolv.conf also where the host has a link into /run there, as systemd makes it', async () => {
    using folder = stateFolder();
    const script = [
      'mkdir "$1/etc"',
      'for f in alternatives hosts passwd; do cp -rP /etc/$f "$1/etc" 2>/dev/null || true; done',
      'ln -sf ../run/systemd/resolve/stub-resolv.conf "$1/etc/resolv.conf"',
      'mount --bind "$1/etc" /etc',
      'shift',
      'exec "$@"',
    ];
    const systemd = ['unshare', '--mount', 'sh', '-c', script.join(' && '), 'sh', folder.path];
    await using sandbox = launch(folder.path, [...systemd, ...prefix]);
    expect((await askSupervisor(sandbox)).resolvers).toBe('nameserver 10.96.0.10\n');
  });

  it('changes nothing of the host: links, mounts, sysctls', async () => {
    const picture = () => [
      readFileSync('/proc/self/mountinfo', 'utf8'),
      readFileSync('/proc/net/dev', 'utf8').replace(/\d+/g, ''),
      readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8'),
      readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8'),
      readdirSync('/run').join(' '),
    ];
    const before = picture();
    using folder = stateFolder();
    await using sandbox = launch(folder.path, prefix);
    await askSupervisor(sandbox);
    expect(picture()).toEqual(before);
  });

  it.each(['the outer process', 'pid 1', 'the supervisor'])(
    'is gone, every process of it, when %s is killed',
    async (who) => {
      using folder = stateFolder();
      await using sandbox = launch(folder.path, prefix);
      const { pid } = await askSupervisor(sandbox);
      const inside = pidsInside(sandbox);
      expect(inside.length).toBeGreaterThanOrEqual(3);
      const victim = {
        'the outer process': sandbox.outerPid,
        'pid 1': sandbox.innerPid,
        'the supervisor': hostPid(inside, pid),
      }[who]!;
      process.kill(victim, 'SIGKILL');
      await allGone([...inside, sandbox.outerPid]);
      expect(readdirSync(folder.path)).toEqual(['log']);
    },
  );

  it('passes a polite SIGTERM to its pid 1 on to the supervisor', async () => {
    using folder = stateFolder();
    await using sandbox = launch(folder.path, prefix);
    await askSupervisor(sandbox);
    const inside = pidsInside(sandbox);
    process.kill(sandbox.innerPid, 'SIGTERM');
    await allGone([...inside, sandbox.outerPid]);
    expect(readFileSync(`${folder.path}/log`, 'utf8')).toBe('ended by SIGTERM\n');
  });

  it('survives the death of a pod’s process, and buries orphans', async () => {
    using folder = stateFolder();
    await using sandbox = launch(folder.path, prefix);
    const { sleeper } = await askSupervisor(sandbox);
    process.kill(hostPid(pidsInside(sandbox), sleeper), 'SIGKILL');
    await expect.poll(() => pidsInside(sandbox).filter((pid) => statusOf(pid, 'State').startsWith('Z'))).toEqual([]);
    expect((await askSupervisor(sandbox)).answer).toMatchObject({ answer: 'web' });
  });

  it('stands beside another one with the same names and addresses', async () => {
    using folders = stateFolder();
    using others = stateFolder();
    await using one = launch(folders.path, prefix, ['one']);
    await using two = launch(others.path, prefix, ['two']);
    expect((await askSupervisor(one)).answer).toMatchObject({ answer: 'one' });
    expect((await askSupervisor(two)).answer).toMatchObject({ answer: 'two' });
    await killSandbox(one);
    expect((await askSupervisor(two)).answer).toMatchObject({ answer: 'two' });
  });

  it('can be joined: its root, a namespace of it, a pod', async () => {
    using folder = stateFolder();
    await using sandbox = launch(folder.path, prefix);
    const { sleeper } = await askSupervisor(sandbox);
    const inside = (options: Parameters<typeof joinCommand>[1], ...command: string[]) => {
      const words = [...joinCommand(sandbox.innerPid, options), ...command];
      const { stdout, stderr } = spawnSync(words[0]!, words.slice(1), { encoding: 'utf8' });
      return `${stdout}${stderr}`;
    };
    expect(inside({}, 'ip', '-br', 'link')).toMatch(/fabric0/);
    expect(inside({}, 'ls', '/run/netns')).toMatch(/client\nnode-1\nnode-2\npod-1-1/);
    expect(inside({ netns: 'node-2' }, 'ip', '-4', '-o', 'addr', 'show', 'eth0')).toContain('172.18.0.3/16');
    expect(inside({ target: sleeper }, 'hostname')).toBe('pod\n');
    await expect.poll(() => inside({ target: sleeper }, 'cat', '/proc/1/comm')).toBe('sleep\n');
    expect(inside({ target: sleeper }, 'ip', '-o', 'addr')).toContain('10.244.1.2/32');
  });

  it('a later process ends it by its identity, and never a stranger with the same pid', async () => {
    using folder = stateFolder();
    await using sandbox = launch(folder.path, prefix);
    await askSupervisor(sandbox);
    await killSandbox({ ...sandbox, innerStartTime: '1' });
    expect((await askSupervisor(sandbox)).answer).toMatchObject({ answer: 'web' });
    await killSandbox(sandbox);
    expect(processStartTime(sandbox.innerPid)).toBeUndefined();
    await killSandbox(sandbox);
  });

  it('whose supervisor cannot start leaves its words in the log and is gone', async () => {
    using folder = stateFolder();
    const launched = runLauncher(folder.path, prefix, ['web', '/nowhere.ts']);
    // On a busy machine it is gone before anybody could look who it was.
    if (launched.error === undefined) await allGone([(launched as unknown as Launched).innerPid]);
    else
      expect(launched.error).toMatchObject({
        code: 'ERR_CLUSTER_START',
        message: expect.stringContaining('/nowhere.ts'),
      });
    expect(readFileSync(`${folder.path}/log`, 'utf8')).toMatch(/nowhere\.ts/);
  });
});

it('root of a container needs NET_ADMIN and SYS_ADMIN beside what Docker gives', async () => {
  using folder = stateFolder();
  await using sandbox = launch(folder.path, withCapabilities(`${dockerCapabilities},net_admin,sys_admin`));
  expect((await askSupervisor(sandbox)).answer).toMatchObject({ answer: 'web' });
});

describe('where there can be no sandbox', () => {
  it('no user namespaces are left: that is said, with the ways out, and nothing is started', () => {
    using folder = stateFolder();
    const script =
      'echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all "$@"';
    const { error } = runLauncher(folder.path, ['unshare', '--user', '--map-root-user', 'sh', '-c', script, 'sh']);
    expect(error).toMatchObject({
      code: 'ERR_NO_USER_NAMESPACES',
      message: expect.stringContaining('user.max_user_namespaces=0'),
      hint: expect.stringContaining('sysctl -w user.max_user_namespaces'),
    });
    expect(readFileSync(`${folder.path}/log`, 'utf8')).toMatch(/^unshare: /);
  });

  it('the log cannot be written: that is said', () => {
    using folder = stateFolder();
    const { error } = runLauncher(`${folder.path}/nowhere`, []);
    expect(error).toMatchObject({ code: 'ERR_STATE_DIR', message: expect.stringContaining('nowhere/log') });
  });

  it('unshare is missing: the package is named', () => {
    using folder = stateFolder();
    const hide = 'for d in /usr/bin /bin; do mount --bind "$1" $d/unshare 2>/dev/null; done; shift; exec "$@"';
    const { error } = runLauncher(folder.path, ['unshare', '--mount', 'sh', '-c', hide, 'sh', '/dev/null']);
    expect(error).toMatchObject({ code: 'ERR_MISSING_PROGRAM', hint: expect.stringContaining('util-linux') });
  });
});

function hostPid(candidates: readonly number[], sandboxPid: number): number {
  return candidates.find((pid) => statusOf(pid, 'NSpid').split(/\s+/).slice(1).includes(String(sandboxPid)))!;
}

function statusOf(pid: number, field: 'NSpid' | 'PPid' | 'State'): string {
  try {
    return new RegExp(`^${field}:\\s+(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';
  } catch {
    return '';
  }
}
