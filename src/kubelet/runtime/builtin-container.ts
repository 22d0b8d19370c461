import type { Clock } from '../../kube/clock.ts';
import type { ExecOptions, ExitStatus, ProcessStreams } from '../../kube/kubelet-connection.ts';
import type { ContainerExit, ContainerStart, RunningContainer } from '../container/container-runtime.ts';
import { planCommand } from '../container/launch-plan.ts';
import type { BuiltinImage, BuiltinProcess } from '../images/builtin-image.ts';
import { ContainerOutput } from './attached-streams.ts';
import { buildBuiltinContext } from './builtin-context.ts';
import { execBuiltin } from './builtin-exec.ts';
import { type PodWorld, startInPod } from './pod-world.ts';
import { pipeProgram } from './program-output.ts';

export interface BuiltinStart {
  readonly world: PodWorld;
  readonly start: ContainerStart;
  readonly image: BuiltinImage;
  readonly args: readonly string[];
  readonly clock: Clock;
}

/** Starts a container whose main program is one of a built-in image, in process. */
export async function startBuiltinContainer(options: BuiltinStart): Promise<RunningContainer> {
  const output = new ContainerOutput(options.start.log);
  const context = buildBuiltinContext({ ...options, write: (stream, text) => output.write(stream, text) });
  try {
    return new BuiltinContainer(options, await options.image.start(context), output);
  } catch (error) {
    // A program that cannot listen says so and exits; only a container runtime could fail to start it.
    output.write('stderr', `${(error as Error).message}\n`);
    const exited = Promise.resolve({ exitCode: 1 });
    return new BuiltinContainer(options, { exited, stop: () => {} }, output);
  }
}

class BuiltinContainer implements RunningContainer {
  readonly exited: Promise<ContainerExit>;
  readonly #options: BuiltinStart;
  readonly #process: BuiltinProcess;
  readonly #output: ContainerOutput;

  constructor(options: BuiltinStart, process: BuiltinProcess, output: ContainerOutput) {
    this.#options = options;
    this.#process = process;
    this.#output = output;
    this.exited = process.exited.then(({ exitCode }) => {
      options.start.log.close();
      return { exitCode };
    });
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.stop(signal);
  }

  async exec(options: ExecOptions): Promise<ExitStatus> {
    const { world, start, image, clock } = this.#options;
    const plan = planCommand(image, options.command);
    if (plan.kind === 'builtin') return execBuiltin(world, { ...start, plan, clock }, options);
    const program = await startInPod(world, start, {
      command: options.command,
      tty: options.tty,
      stdin: options.stdin === undefined ? 'ignore' : 'pipe',
    });
    return pipeProgram(program, options);
  }

  attach(streams: ProcessStreams): Promise<ExitStatus> {
    return this.#output.attach(streams, this.exited);
  }
}
