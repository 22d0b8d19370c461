import { readFile } from 'node:fs/promises';
import { constants } from 'node:os';
import type { RunningProgram } from '../../kernel/programs.ts';
import type { ExecOptions, ExitStatus, ProcessStreams } from '../../kube/kubelet-connection.ts';
import type { ContainerExit, RunningContainer } from '../container/container-runtime.ts';
import { planCommand } from '../container/launch-plan.ts';
import { ContainerOutput } from './container-output.ts';
import type { ContainerWorld } from './container-world.ts';
import { execBuiltin } from './exec-builtin.ts';
import { deliver, exitCodeOf, followSize, pipeProgram } from './program-output.ts';

/** Starts a container whose main program is a program of the host. Rejects with ContainerStartError. */
export async function startProgramContainer(
  world: ContainerWorld,
  command: readonly string[],
): Promise<RunningContainer> {
  const { tty = false, stdin = false } = world.start.container.spec;
  return new ProgramContainer(world, await world.startProgram({ command, tty, hasInput: stdin, beneathInit: false }));
}

class ProgramContainer implements RunningContainer {
  readonly exited: Promise<ContainerExit>;
  readonly #world: ContainerWorld;
  readonly #program: RunningProgram;
  readonly #output: ContainerOutput;
  #wasAttached = false;

  constructor(world: ContainerWorld, program: RunningProgram) {
    this.#world = world;
    this.#program = program;
    this.#output = new ContainerOutput(world.start.log);
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
    const { command, tty, stdin } = options;
    const plan = planCommand(this.#world.start.plan.image, command);
    if (plan.kind === 'builtin') return execBuiltin(this.#world, plan, options);
    const program = { command, tty, hasInput: stdin !== undefined };
    return pipeProgram(this.#world.joinProgram(this.#program.pid, program), options);
  }

  async attach(streams: ProcessStreams): Promise<ExitStatus> {
    const { stdin, stdinOnce } = this.#world.start.container.spec;
    if (stdin === true) streams.stdin?.pipe(this.#program.stdin, { end: stdinOnce === true });
    void followSize(this.#program, streams);
    const isFirst = stdinOnce === true && !this.#wasAttached;
    this.#wasAttached = true;
    const status = await this.#output.attach(streams, this.exited, isFirst);
    streams.stdin?.unpipe(this.#program.stdin);
    return status;
  }

  async #end(): Promise<ContainerExit> {
    const outputs = [deliver(this.#program.stdout, undefined), deliver(this.#program.stderr, undefined)];
    const exitCode = await exitCodeOf(this.#program);
    await Promise.all(outputs.map((output) => output.finish()));
    this.#world.start.log.close();
    return { exitCode, message: await this.#world.close(exitCode) };
  }
}

async function ignores(pid: number, signal: NodeJS.Signals): Promise<boolean> {
  if (signal === 'SIGKILL') return false;
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const caught = /^SigCgt:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return caught !== undefined && ((BigInt(`0x${caught}`) >> BigInt(constants.signals[signal] - 1)) & 1n) === 0n;
}
