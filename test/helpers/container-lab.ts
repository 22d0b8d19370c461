import { type ChildProcessByStdio, type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { dockerSeccompProfile, podmanSeccompProfile } from './docker-seccomp-profile.ts';

const root = new URL('../..', import.meta.url).pathname.replace(/\/$/, '');
const DEBIAN = 'trixie';
const IMAGE = 'towtank';
const HOST_ADDRESS = '172.17.0.1';
/** The capabilities that Docker gives to every container. */
const DOCKER_CAPABILITIES = [
  ...['CHOWN', 'DAC_OVERRIDE', 'FSETID', 'FOWNER', 'MKNOD', 'NET_RAW', 'SETGID', 'SETUID', 'SETFCAP', 'SETPCAP'],
  ...['NET_BIND_SERVICE', 'SYS_CHROOT', 'KILL', 'AUDIT_WRITE'],
];

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** As `docker run --cap-add`. */
  readonly capAdd?: readonly string[];
  /** As `docker run --cap-drop ALL`: not even those that Docker gives to every container. */
  readonly capDropAll?: boolean;
  /** Docker lets every program open ports below 1024 in a container; default true. */
  readonly lowPorts?: boolean;
  /** Words behind the image. */
  readonly command?: readonly string[];
  /** Further options of `docker run`. */
  readonly options?: readonly string[];
}

/** Why containers cannot be run here; undefined when they can. */
export function reasonAgainstContainers(): string | undefined {
  if (process.getuid?.() !== 0) return 'images are built and containers run as root only';
  const missing = ['podman', 'runc', 'mmdebstrap', 'ip'].filter((name) => !hasProgram(name));
  if (!existsSync(podmanSeccompProfile)) missing.push(podmanSeccompProfile);
  return missing.length === 0 ? undefined : `without ${missing.join(', ')} (npm test installs them where apt-get can)`;
}

/**
 * The image, built of the checkout without a registry, and containers of it with Docker's capabilities and seccomp rules: in
 * storage, mounts, processes and a network of their own, so that nothing of the machine changes.
 */
export class ContainerLab implements AsyncDisposable {
  readonly #folder: string;
  readonly #keeper: ReturnType<typeof spawn>;
  #nextAddress = 2;

  private constructor(folder: string, keeper: ReturnType<typeof spawn>) {
    this.#folder = folder;
    this.#keeper = keeper;
  }

  /** Builds the image. Resolves with the reason, as text, when the network does not give what it needs. */
  static async create(): Promise<ContainerLab | string> {
    const folder = mkdtempSync(join(tmpdir(), 'towtank-containers-'));
    const base = join(homedir(), `.cache/towtank/debian-${DEBIAN}.tar`);
    if (!existsSync(base)) {
      const problem = bootstrapDebian(base);
      if (problem !== undefined) return problem;
    }
    writeFileSync(join(folder, 'seccomp.json'), JSON.stringify(dockerSeccompProfile()));
    const keeper = await startKeeper();
    const lab = new ContainerLab(folder, keeper);
    try {
      const problem = lab.#build(base);
      if (problem === undefined) return lab;
      await lab[Symbol.asyncDispose]();
      return problem;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts a container; it has an address at which the lab's own namespace reaches it. */
  start(name: string, { command = [], options = [], lowPorts = true, ...privileges }: RunOptions = {}): Container {
    const address = `172.17.0.${this.#nextAddress++}`;
    this.#inside(['sh', '-ec', plugIn(name, address)]);
    const portStart = '/proc/sys/net/ipv4/ip_unprivileged_port_start';
    if (lowPorts) this.#inside(['ip', 'netns', 'exec', name, 'sh', '-c', `echo 0 >${portStart}`]);
    const words = ['-d', '--name', name, '--network', `ns:/run/netns/${name}`, ...options];
    this.podman(['run', ...this.#privileges(privileges), ...words, IMAGE, ...command]);
    return new Container(this, name, address);
  }

  /** Runs one command of the image to its end, with no network but its own loopback. */
  run(words: readonly string[], { options = [], ...privileges }: RunOptions = {}): CommandResult {
    return this.try(['run', '--rm', ...this.#privileges(privileges), '--network', 'none', ...options, IMAGE, ...words]);
  }

  /** Runs a command where the containers' outside is. */
  outside(command: readonly string[]): CommandResult {
    return resultOf(this.#inside(command, { mayFail: true }));
  }

  /** Runs podman; throws when it fails. */
  podman(words: readonly string[]): string {
    const { exitCode, stdout, stderr } = this.try(words);
    if (exitCode !== 0) throw new Error(`podman ${words.join(' ')}: ${stderr}`);
    return stdout;
  }

  /** Runs podman; any exit code is fine. */
  try(words: readonly string[]): CommandResult {
    return resultOf(this.#inside(['podman', ...this.#storage(), ...words], { mayFail: true }));
  }

  /** Starts to print the output of a container, from its beginning until it ends. */
  follow(name: string): ChildProcessByStdio<null, Readable, Readable> {
    const [program = '', ...words] = this.#entering(['podman', ...this.#storage(), 'logs', '--follow', name]);
    return spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.try(['rm', '--all', '--force', '--time', '0']);
    const ended = once(this.#keeper, 'exit');
    this.#keeper.kill('SIGKILL');
    await ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #build(base: string): string | undefined {
    this.podman(['import', base, `docker.io/library/debian:${DEBIAN}-slim`]);
    const node = join(this.#folder, 'node');
    makeNodeContext(node);
    this.podman([
      'build',
      '-q',
      '--pull=never',
      '--isolation=chroot',
      '--network=host',
      '-t',
      `docker.io/library/node:24-${DEBIAN}-slim`,
      node,
    ]);
    return this.#buildProject();
  }

  // With the machine's own network, which a build does not change: Debian's and npm's packages are fetched.
  #buildProject(): string | undefined {
    const authority = '/etc/ssl/certs/ca-certificates.crt';
    const secret = existsSync(authority) ? ['--secret', `id=ca,src=${authority}`] : [];
    const words = [
      'build',
      '--layers=false',
      '--pull=never',
      '--isolation=chroot',
      '--network=host',
      ...secret,
      '-t',
      IMAGE,
      root,
    ];
    const command = [
      '--mount',
      '--pid',
      '--fork',
      '--kill-child',
      '--mount-proc',
      'podman',
      ...this.#storage(),
      ...words,
    ];
    const result = resultOf(spawnSync('unshare', command, { encoding: 'utf8', timeout: 500_000 }));
    if (result.exitCode === 0) return undefined;
    const end = `${result.stdout}${result.stderr}`.trim().split('\n').slice(-15).join('\n');
    if (/resolv|Failed to fetch|ETIMEDOUT|ECONNRESET|EAI_AGAIN|ENOTFOUND|ENETUNREACH/.test(end))
      return `the network failed: ${end}`;
    throw new Error(`the image cannot be built:\n${end}`);
  }

  #privileges({ capAdd = [], capDropAll = false }: RunOptions): readonly string[] {
    const held = [...(capDropAll ? [] : DOCKER_CAPABILITIES), ...capAdd];
    const capabilities = held.flatMap((name) => ['--cap-add', name]);
    const limits = ['--ulimit', 'nofile=20000:20000', '--ulimit', 'nproc=20000:20000'];
    const seccomp = `seccomp=${join(this.#folder, 'seccomp.json')}`;
    return ['--pull=never', '--cap-drop', 'ALL', ...capabilities, '--security-opt', seccomp, ...limits];
  }

  #storage(): readonly string[] {
    const of = (name: string) => join(this.#folder, name);
    return [
      '--root',
      of('storage'),
      '--runroot',
      of('run'),
      '--tmpdir',
      of('tmp'),
      '--cgroup-manager=cgroupfs',
      '--runtime=runc',
    ];
  }

  // Whoever enters leaves a child there, which ends with it.
  #entering(command: readonly string[]): readonly string[] {
    const pid = readFileSync(`/proc/${this.#keeper.pid}/task/${this.#keeper.pid}/children`, 'utf8').trim();
    return ['nsenter', '-t', pid, '-m', '-n', '-p', '-i', '--', 'setpriv', '--pdeathsig=KILL', ...command];
  }

  #inside(command: readonly string[], { mayFail = false } = {}): SpawnSyncReturns<string> {
    const [program = '', ...words] = this.#entering(command);
    const result = spawnSync(program, words, { encoding: 'utf8', timeout: 120_000, maxBuffer: 1 << 26 });
    if (result.status === 0 || mayFail) return result;
    throw new Error(`${command.join(' ')}: ${result.stderr}`);
  }
}

/** A running container of the lab. */
export class Container {
  readonly name: string;
  /** Where the outside reaches it, as published ports do. */
  readonly address: string;
  readonly #lab: ContainerLab;

  constructor(lab: ContainerLab, name: string, address: string) {
    this.#lab = lab;
    this.name = name;
    this.address = address;
  }

  exec(...command: readonly string[]): CommandResult {
    return this.#lab.try(['exec', this.name, ...command]);
  }

  /** Runs a shell script in it, and throws when that fails. */
  script(text: string): string {
    const { exitCode, stdout, stderr } = this.exec('sh', '-ec', text);
    if (exitCode !== 0) throw new Error(`${text}: exit code ${exitCode}\n${stdout}${stderr}\n${this.logs()}`);
    return stdout;
  }

  logs(): string {
    const { stdout, stderr } = this.#lab.try(['logs', this.name]);
    return stdout + stderr;
  }

  /** Waits until its output holds `text` this many times; throws when it ends before, or after a minute. */
  async saying(text: string, times = 1): Promise<string> {
    const following = this.#lab.follow(this.name);
    const ended = once(following, 'close');
    let logs = '';
    const said = new Promise<void>((resolve) => {
      for (const stream of [following.stdout, following.stderr])
        stream.setEncoding('utf8').on('data', (part: string) => {
          logs += part;
          if (logs.split(text).length > times) resolve();
        });
    });
    const limit = setTimeout(() => following.kill('SIGKILL'), 60_000);
    await Promise.race([said, ended]);
    clearTimeout(limit);
    following.kill('SIGKILL');
    await ended;
    if (logs.split(text).length <= times) throw new Error(`${this.name} never said "${text}":\n${logs}`);
    // What was said in the same breath belongs to it.
    return this.logs();
  }

  exitCode(): number {
    return Number(this.#lab.podman(['wait', this.name]).trim());
  }

  stop(): void {
    this.#lab.podman(['stop', '--time', '30', this.name]);
  }
}

function resultOf({ status, stdout, stderr, error }: SpawnSyncReturns<string>): CommandResult {
  return { exitCode: status ?? 255, stdout: stdout ?? '', stderr: (stderr ?? '') + (error?.message ?? '') };
}

function hasProgram(name: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${name}`]).status === 0;
}

// A bridge as Docker's, on which every container has a network namespace with an eth0.
function plugIn(name: string, address: string): string {
  // Names of links hold fifteen characters.
  const link = `v-${address}`;
  return `
ip link show docker0 >/dev/null 2>&1 || { ip link add docker0 type bridge; ip addr add ${HOST_ADDRESS}/16 dev docker0; ip link set docker0 up; }
ip netns add ${name}
ip link add ${link} master docker0 type veth peer name eth0 netns ${name}
ip link set ${link} up
ip -n ${name} addr add ${address}/16 dev eth0
ip -n ${name} link set eth0 up
ip -n ${name} link set lo up
ip -n ${name} route add default via ${HOST_ADDRESS}`;
}

// Its pid 1 holds mounts, network and processes of everything, and takes all of it along when it is killed.
async function startKeeper(): Promise<ReturnType<typeof spawn>> {
  const prepare =
    'mount --make-rprivate / && mount -t tmpfs tmpfs /run && mkdir /run/netns && ip link set lo up && echo up && exec sleep infinity';
  const words = ['--mount', '--net', '--pid', '--ipc', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', prepare];
  // It ends with the tests, however they end.
  const keeper = spawn('setpriv', ['--pdeathsig', 'KILL', 'unshare', ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(keeper.stdout!, 'data');
  return keeper;
}

/** Debian as the slim images of it are: without documentation and translations. */
function bootstrapDebian(file: string): string | undefined {
  mkdirSync(dirname(file), { recursive: true });
  const excluded = ['doc', 'man', 'locale', 'info'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`);
  const partial = `${file}.partial`;
  const words = [
    '--quiet',
    '--format=tar',
    '--variant=minbase',
    '--include=ca-certificates',
    ...excluded,
    DEBIAN,
    partial,
  ];
  const { status, stderr } = spawnSync('mmdebstrap', words, { encoding: 'utf8', timeout: 300_000 });
  if (status !== 0) {
    rmSync(partial, { force: true });
    return `Debian cannot be fetched: ${stderr.trim().split('\n').slice(-3).join('; ')}`;
  }
  renameSync(partial, file);
  return undefined;
}

// The official image of Node is Debian's with Node and npm below /usr/local; both are this machine's.
function makeNodeContext(folder: string): void {
  const [bin, modules] = [join(folder, 'usr/local/bin'), join(folder, 'usr/local/lib/node_modules')];
  mkdirSync(bin, { recursive: true });
  mkdirSync(modules, { recursive: true });
  cpSync(process.execPath, join(bin, 'node'));
  const npm = spawnSync('sh', ['-c', 'readlink -f "$(command -v npm)"'], { encoding: 'utf8' }).stdout.trim();
  cpSync(dirname(dirname(npm)), join(modules, 'npm'), { recursive: true, verbatimSymlinks: true });
  writeFileSync(
    join(folder, 'Containerfile'),
    `FROM docker.io/library/debian:${DEBIAN}-slim\nCOPY usr /usr\nRUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm\n`,
  );
}
