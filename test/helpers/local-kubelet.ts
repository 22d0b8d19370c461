import { type ChildProcess, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { type Duplex, Readable } from 'node:stream';
import type { Pod } from '../../src/kube/generated/types.ts';
import type {
  ExecOptions,
  ExitStatus,
  KubeletConnection,
  LogOptions,
  ProcessStreams,
} from '../../src/kube/kubelet-connection.ts';

/** A kubelet without pods: commands run on this machine, logs are counted lines, ports are those of loopback. */
export class LocalKubelet implements KubeletConnection {
  /** Sizes that clients sent, in order. */
  readonly sizes: string[] = [];
  /** Options of the logs that were asked for. */
  readonly logRequests: LogOptions[] = [];

  async logs(_pod: Pod, container: string, options: LogOptions): Promise<Readable> {
    this.logRequests.push(options);
    const lines = options.follow
      ? ['follow 1', 'follow 2', 'follow 3']
      : [`${container} log line 0`, `${container} log line 1`];
    const chosen = options.tailLines === undefined ? lines : lines.slice(lines.length - options.tailLines);
    const stamp = options.timestamps ? '2026-01-01T00:00:00.000000000Z ' : '';
    return Readable.from(chosen.map((line) => Buffer.from(`${stamp}${line}\n`)));
  }

  exec(_pod: Pod, _container: string, { command, ...streams }: ExecOptions): Promise<ExitStatus> {
    const [program = '', ...words] = command;
    return this.#run(spawn(program, words), streams);
  }

  attach(_pod: Pod, _container: string, streams: ProcessStreams): Promise<ExitStatus> {
    return this.#run(spawn('sh', ['-c', 'echo attached']), streams);
  }

  async portForward(_pod: Pod, port: number): Promise<Duplex> {
    const socket = connect({ host: '127.0.0.1', port });
    await new Promise((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return socket;
  }

  #run(child: ChildProcess, { stdin, stdout, stderr, resize, signal }: ProcessStreams): Promise<ExitStatus> {
    if (stdin && child.stdin) stdin.pipe(child.stdin);
    else child.stdin?.end();
    child.stdin?.on('error', () => {});
    if (stdout) child.stdout?.pipe(stdout, { end: false });
    if (stderr ?? stdout) child.stderr?.pipe((stderr ?? stdout)!, { end: false });
    signal.addEventListener('abort', () => child.kill());
    if (resize) void this.#readSizes(resize);
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve({ exitCode: code ?? 137 }));
    });
  }

  async #readSizes(resize: NonNullable<ProcessStreams['resize']>): Promise<void> {
    for await (const { width, height } of resize) this.sizes.push(`${width}x${height}`);
  }
}
