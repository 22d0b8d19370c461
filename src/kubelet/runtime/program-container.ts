import { readFile } from 'node:fs/promises';
import { type RunningProgram, runInside } from '../../kernel/programs.ts';
import type { Clock } from '../../kube/clock.ts';
import type { ExecOptions, ExitStatus, ProcessStreams } from '../../kube/kubelet-connection.ts';
import type { ContainerExit, ContainerStart, RunningContainer } from '../container/container-runtime.ts';
import { planCommand } from '../container/launch-plan.ts';
import { ContainerOutput } from './attached-streams.ts';
import { execBuiltin } from './builtin-exec.ts';
import { type PodWorld, programEnvironment, startError, startInPod } from './pod-world.ts';
import { deliver, exitCodeOf, pipeProgram } from './program-output.ts';

/** Starts a container whose main program is a program of the host. */
export async function startProgramContainer(
  world: PodWorld,
  start: ContainerStart,
  command: readonly string[],
  clock: Clock,
): Promise<RunningContainer> {
  const { spec } = start.container;
  const program = await startInPod(world, start, {
    command,
    tty: spec.tty === true,
    stdin: spec.stdin === true ? 'pipe' : 'ignore',
  });
  return new ProgramContainer(world, { ...start, clock }, program);
}

class ProgramContainer implements RunningContainer {
  readonly exited: Promise<ContainerExit>;
  readonly #world: PodWorld;
  readonly #start: ContainerStart & { readonly clock: Clock };
  readonly #program: RunningProgram;
  readonly #output: ContainerOutput;

  constructor(world: PodWorld, start: ContainerStart & { readonly clock: Clock }, program: RunningProgram) {
    this.#world = world;
    this.#start = start;
    this.#program = program;
    this.#output = new ContainerOutput(start.log);
    program.stdin.on('error', () => {});
    program.stdout.on('data', (chunk: Buffer) => this.#output.write('stdout', chunk));
    program.stderr.on('data', (chunk: Buffer) => this.#output.write('stderr', chunk));
    this.exited = this.#end();
  }

  kill(signal: NodeJS.Signals): void {
    // Pid 1 of a pid namespace never sees a signal that it has not asked for. Waiting for the end of the grace period would
    // change nothing but the time.
    void ignores(this.#program.pid, signal).then((isIgnored) => this.#program.kill(isIgnored ? 'SIGKILL' : signal));
  }

  async exec(options: ExecOptions): Promise<ExitStatus> {
    const plan = planCommand(this.#start.plan.image, options.command);
    if (plan.kind === 'builtin') return execBuiltin(this.#world, { ...this.#start, plan }, options);
    return pipeProgram(this.#runInside(options), options);
  }

  async attach(streams: ProcessStreams): Promise<ExitStatus> {
    const { spec } = this.#start.container;
    if (spec.stdin === true && streams.stdin !== undefined) {
      streams.stdin.pipe(this.#program.stdin, { end: spec.stdinOnce === true });
    }
    void this.#followSize(streams);
    const status = await this.#output.attach(streams, this.exited);
    streams.stdin?.unpipe(this.#program.stdin);
    return status;
  }

  async #followSize({ resize }: ProcessStreams): Promise<void> {
    if (resize === undefined) return;
    for await (const { width, height } of resize) this.#program.resize(width, height);
  }

  #runInside(options: ExecOptions): RunningProgram {
    const { spec } = this.#start.container;
    try {
      return runInside(this.#program.pid, {
        command: options.command,
        env: programEnvironment(this.#world, this.#start, options.tty),
        ...(spec.workingDir ? { cwd: spec.workingDir } : {}),
        netns: this.#world.netns,
        ...(options.tty ? { tty: true } : {}),
        stdin: options.stdin === undefined ? 'ignore' : 'pipe',
      });
    } catch (error) {
      throw startError(error);
    }
  }

  async #end(): Promise<ContainerExit> {
    const outputs = [deliver(this.#program.stdout, undefined), deliver(this.#program.stderr, undefined)];
    const exitCode = await exitCodeOf(this.#program);
    await Promise.all(outputs.map((output) => output.finish()));
    this.#start.log.close();
    return { exitCode };
  }
}

async function ignores(pid: number, signal: NodeJS.Signals): Promise<boolean> {
  if (signal === 'SIGKILL') return false;
  const { constants } = await import('node:os');
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const caught = /^SigCgt:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return caught !== undefined && ((BigInt(`0x${caught}`) >> BigInt(constants.signals[signal] - 1)) & 1n) === 0n;
}
