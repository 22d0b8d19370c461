import type { Duplex } from 'node:stream';
import type { Pod } from '../../src/kube/generated/types.ts';
import type { ExecOptions, ExitStatus } from '../../src/kube/kubelet-connection.ts';
import {
  type ContainerExit,
  type ContainerStart,
  ContainerStartError,
  type PodRuntime,
  type PodSandbox,
  type RunningContainer,
} from '../../src/kubelet/container/container-runtime.ts';

/** A container that runs until the test ends it, or it gets a signal that it does not ignore. */
export class FakeContainer implements RunningContainer {
  readonly start: ContainerStart;
  readonly signals: string[] = [];
  /** Signals that do not end it; default none. */
  ignored: readonly string[] = [];
  /** What commands run in it end with. */
  execResult: (command: readonly string[]) => ExitStatus | Promise<ExitStatus> = () => ({ exitCode: 0 });
  readonly commands: string[] = [];
  readonly #exited = Promise.withResolvers<ContainerExit>();

  constructor(start: ContainerStart) {
    this.start = start;
  }

  get exited(): Promise<ContainerExit> {
    return this.#exited.promise;
  }

  exit(exitCode: number, message?: string): void {
    this.#exited.resolve({ exitCode, message });
  }

  kill(signal: NodeJS.Signals): void {
    this.signals.push(signal);
    if (signal === 'SIGKILL') this.exit(137);
    else if (!this.ignored.includes(signal)) this.exit(0);
  }

  async exec({ command, stdout }: ExecOptions): Promise<ExitStatus> {
    this.commands.push(command.join(' '));
    const status = await this.execResult(command);
    stdout?.write(`${command.join(' ')} says ${status.exitCode}`);
    return status;
  }

  attach(): Promise<ExitStatus> {
    return this.exited;
  }
}

/** Pods without a kernel: the test sees what was started, in order, and ends it. */
export class FakePodRuntime implements PodRuntime {
  /** Everything that was started, oldest first. */
  readonly started: FakeContainer[] = [];
  /** Thrown by the next createSandbox. */
  sandboxFailure: Error | undefined;
  /** Names of containers whose programs do not exist. */
  readonly unstartable = new Set<string>();
  /** Told of a container before it is started. */
  onStart: (container: FakeContainer) => void = () => {};
  sandboxes = 0;
  #next = 2;

  async createSandbox(_pod: Pod): Promise<PodSandbox> {
    const failure = this.sandboxFailure;
    this.sandboxFailure = undefined;
    if (failure !== undefined) throw failure;
    this.sandboxes++;
    let isRemoved = false;
    return {
      podIPs: [`10.244.0.${this.#next++}`],
      start: (start) => this.#start(start),
      connect: () => Promise.reject<Duplex>(new Error('nothing listens')),
      refreshVolumes: async () => {},
      remove: async () => {
        if (!isRemoved) this.sandboxes--;
        isRemoved = true;
      },
    };
  }

  /** The latest run of the container of this name. */
  get(name: string): FakeContainer {
    const found = this.started.findLast(({ start }) => start.container.spec.name === name);
    if (found === undefined) throw new Error(`container ${name} was not started`);
    return found;
  }

  /** Names of what was started, in order. */
  get names(): readonly string[] {
    return this.started.map(({ start }) => start.container.spec.name);
  }

  async #start(start: ContainerStart): Promise<RunningContainer> {
    const { name } = start.container.spec;
    if (this.unstartable.has(name))
      throw new ContainerStartError(`exec: "${name}": executable file not found in $PATH`);
    const container = new FakeContainer(start);
    this.started.push(container);
    this.onStart(container);
    return container;
  }
}
