import type { ExecOptions, ExitStatus, ProcessStreams } from '../../kube/kubelet-connection.ts';
import type { ContainerExit, RunningContainer } from '../container/container-runtime.ts';
import { type LaunchPlan, planCommand } from '../container/launch-plan.ts';
import type { BuiltinProcess } from '../images/builtin-image.ts';
import { buildBuiltinContext } from './builtin-context.ts';
import { ContainerOutput } from './container-output.ts';
import type { ContainerWorld } from './container-world.ts';
import { execBuiltin } from './exec-builtin.ts';
import { pipeProgram } from './program-output.ts';

/** Starts a container whose main program is one of a built-in image, in process. */
export async function startBuiltinContainer(
  world: ContainerWorld,
  { image, args }: Extract<LaunchPlan, { kind: 'builtin' }>,
): Promise<RunningContainer> {
  const output = new ContainerOutput(world.start.log);
  const context = buildBuiltinContext(world, args, (stream, text) => output.write(stream, text));
  try {
    return new BuiltinContainer(world, await image.start(context), output);
  } catch (error) {
    // A program that cannot listen says so and exits; only a container runtime could fail to start it.
    output.write('stderr', `${(error as Error).message}\n`);
    return new BuiltinContainer(world, { exited: Promise.resolve({ exitCode: 1 }), stop: () => {} }, output);
  }
}

class BuiltinContainer implements RunningContainer {
  readonly exited: Promise<ContainerExit>;
  readonly #world: ContainerWorld;
  readonly #process: BuiltinProcess;
  readonly #output: ContainerOutput;

  constructor(world: ContainerWorld, process: BuiltinProcess, output: ContainerOutput) {
    this.#world = world;
    this.#process = process;
    this.#output = output;
    this.exited = process.exited.then(async ({ exitCode }) => {
      world.start.log.close();
      return { exitCode, message: await world.close(exitCode) };
    });
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.stop(signal);
  }

  async exec(options: ExecOptions): Promise<ExitStatus> {
    const { command, tty, stdin } = options;
    const plan = planCommand(this.#world.start.plan.image, command);
    if (plan.kind === 'builtin') return execBuiltin(this.#world, plan, options);
    return pipeProgram(await this.#world.startProgram({ command, tty, hasInput: stdin !== undefined }), options);
  }

  attach(streams: ProcessStreams): Promise<ExitStatus> {
    return this.#output.attach(streams, this.exited, false);
  }
}
