import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cluster } from '../../src/cluster/cluster.ts';
import { type ClusterRecord, clusterPaths } from '../../src/cluster/state-folder.ts';
import type { CommandResult } from './run-towtank.ts';

const launcher = new URL('../../towtank', import.meta.url).pathname;

export interface UnprivilegedOptions {
  /** Ports below 1024 may be opened, as in most containers. */
  readonly lowPorts: boolean;
}

// What a container engine prepares: loopback, a resolver file that may be written, and no way to more privileges.
const prepare = `
ip link set lo up
mount -t tmpfs tmpfs /mnt
echo 'nameserver 192.0.2.53' >/mnt/resolv.conf
mount --bind /mnt/resolv.conf /etc/resolv.conf
echo "$1" >/proc/sys/net/ipv4/ip_unprivileged_port_start
echo 0 >/proc/sys/user/max_user_namespaces
echo up
sleep infinity &
# Every wait of a shell buries whatever child has died.
while kill -s 0 $!; do wait $!; done`;
// What ends while it is read is left out, as is the shell that reads.
const processes = `
for folder in /proc/[0-9]*; do
  [ "$folder" = "/proc/$$" ] && continue
  { words=$(tr '\\0' ' ' <"$folder/cmdline"); } 2>/dev/null && echo "\${folder#/proc/} $words"
done`;
// Ends with the tests, however they end.
const dieWithParent = ['--pdeathsig', 'KILL'];
const noPrivileges = ['--bounding-set=-all', '--inh-caps=-all', '--no-new-privs'];

/** A place without any privilege: no capability, no user namespaces, the one network namespace that is there. */
export class UnprivilegedLab implements Disposable {
  readonly stateDir: string;
  readonly #keeper: ChildProcess;
  readonly #pid: string;

  private constructor(keeper: ChildProcess, stateDir: string) {
    this.#keeper = keeper;
    this.stateDir = stateDir;
    this.#pid = readFileSync(`/proc/${keeper.pid}/task/${keeper.pid}/children`, 'utf8').trim();
  }

  static async create({ lowPorts }: UnprivilegedOptions): Promise<UnprivilegedLab> {
    const namespaces = [
      '--user',
      '--map-root-user',
      '--net',
      '--mount',
      '--pid',
      '--fork',
      '--kill-child',
      '--mount-proc',
    ];
    const words = [...dieWithParent, 'unshare', ...namespaces, 'sh', '-ec', prepare, 'sh', lowPorts ? '0' : '1024'];
    const keeper = spawn('setpriv', words, { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(keeper.stdout!, 'data');
    return new UnprivilegedLab(keeper, mkdtempSync(join(tmpdir(), 'tt-')));
  }

  /** Runs a command to its end. */
  run(command: readonly string[], input = ''): CommandResult {
    const [program = '', ...words] = this.#enter(command);
    const { status, stdout, stderr, error } = spawnSync(program, words, {
      encoding: 'utf8',
      input,
      timeout: 50_000,
      env: this.#env(),
    });
    return { exitCode: status, stdout: stdout ?? '', stderr: (stderr ?? '') + (error?.message ?? '') };
  }

  /** Kills a process by its number here; throws when there is none. Small machines have `kill` as a word of the shell only. */
  kill(pid: number): void {
    const { exitCode, stderr } = this.run(['sh', '-c', `kill -KILL ${pid}`]);
    if (exitCode !== 0) throw new Error(`kill ${pid}: ${stderr}`);
  }

  /** Runs towtank. */
  towtank(words: readonly string[], input = ''): CommandResult {
    return this.run([launcher, ...words], input);
  }

  /** Runs towtank, and throws when it fails; returns what it printed. */
  succeed(...words: readonly string[]): string {
    const { exitCode, stdout, stderr } = this.towtank(words);
    if (exitCode !== 0) throw new Error(`towtank ${words.join(' ')}: exit code ${exitCode}\n${stdout}${stderr}`);
    return stdout;
  }

  /** A cluster that runs here, by its control socket. Its processes have other numbers outside. */
  cluster(name = 'towtank'): Cluster {
    return new Cluster({ record: this.record(name), paths: clusterPaths(name, this.stateDir) });
  }

  record(name = 'towtank'): ClusterRecord {
    return JSON.parse(readFileSync(clusterPaths(name, this.stateDir).record, 'utf8')) as ClusterRecord;
  }

  /** What runs here besides the keeper and the asking: number and words. Small machines have no `ps`. */
  processes(): readonly string[] {
    const lines = this.run(['sh', '-c', processes]).stdout.trim().split('\n');
    return lines.map((line) => line.trim()).filter((line) => /^\d+ ./.test(line) && !/^1 |sleep infinity/.test(line));
  }

  /** Resolves when no process is left; rejects with those that are. */
  async untilEmpty(): Promise<void> {
    const deadline = Date.now() + 30_000;
    for (;;) {
      const left = this.processes();
      if (left.length === 0) return;
      if (Date.now() > deadline) throw new Error(`still there:\n${left.join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Sockets that listen, as lines of `ss`. */
  listeners(): string {
    return this.run(['ss', '-Hltun']).stdout.trim();
  }

  resolver(): string {
    return this.run(['cat', '/etc/resolv.conf']).stdout;
  }

  [Symbol.dispose](): void {
    this.#keeper.kill('SIGKILL');
    rmSync(this.stateDir, { recursive: true, force: true });
  }

  #enter(command: readonly string[]): readonly string[] {
    const join = ['-t', this.#pid, '-U', '--preserve-credentials', '-n', '-m', '-p'];
    return ['nsenter', ...join, 'setpriv', ...noPrivileges, '--', ...command];
  }

  #env(): NodeJS.ProcessEnv {
    return { ...process.env, container: 'test', TOWTANK_STATE_DIR: this.stateDir };
  }
}
