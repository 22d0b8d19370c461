import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path/posix';
import { ProgramHome, type RunningProgram, runInside, startProgram } from '../../kernel/programs.ts';
import type { ContainerStart } from '../container/container-runtime.ts';
import type { ContainerMount } from './pod-files.ts';
import type { PodWorld } from './pod-world.ts';
import { startError } from './start-error.ts';

/** A program of the host that is to run in a container. */
export interface ContainerProgram {
  readonly command: readonly string[];
  readonly tty?: boolean;
  /** False for the container's main program, which is pid 1 itself. */
  readonly beneathInit?: boolean;
  /** False for what only helps a built-in image: it does without the files of the container where there are none. */
  readonly needsFiles?: boolean;
  /** Whether somebody will write to its standard input. */
  readonly hasInput?: boolean;
}

const SERVICE_ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';
const MAX_MESSAGE_BYTES = 4096;
const MAX_LOG_MESSAGE = { bytes: 2048, lines: 80 } as const;

let serial = 0;

/** One run of a container: its environment and, from its first program on, its file system and host name. */
export class ContainerWorld {
  readonly pod: PodWorld;
  readonly start: ContainerStart;
  readonly #layer: string;
  #home: Promise<ProgramHome> | undefined;
  #message: ContainerMount | undefined;
  #isClosed = false;

  constructor(pod: PodWorld, start: ContainerStart) {
    this.pod = pod;
    this.start = start;
    this.#layer = join(pod.layers, `${start.container.spec.name}-${++serial}`);
  }

  /** The environment of a program: what the container declares, and the hostname. */
  environment(isTty = false): Readonly<Record<string, string>> {
    return {
      HOSTNAME: this.pod.hostname.hostname,
      ...this.pod.resolver,
      ...(isTty ? { TERM: 'xterm' } : {}),
      ...this.start.env,
    };
  }

  /** Starts a program with processes of its own. Rejects with ContainerStartError in the words of container runtimes. */
  async startProgram(program: ContainerProgram): Promise<RunningProgram> {
    try {
      const { beneathInit = true } = program;
      if (this.pod.netns.place !== undefined) return await this.#startAtPlace(program, !beneathInit);
      this.#home ??= this.#createHome();
      return startProgram({ ...this.#specOf(program), beneathInit, home: await this.#home });
    } catch (error) {
      throw startError(error);
    }
  }

  /** Starts a program among the processes of one that runs already. Throws ContainerStartError. */
  joinProgram(pid: number, program: ContainerProgram): RunningProgram {
    try {
      if (this.pod.netns.place !== undefined) return startProgram(this.#specOf(program));
      return runInside(pid, this.#specOf(program));
    } catch (error) {
      throw startError(error);
    }
  }

  /** Gives the file system up after the main program has ended; resolves with what it left as termination message. */
  async close(exitCode: number): Promise<string | undefined> {
    this.#isClosed = true;
    const message = await this.#readMessage(exitCode);
    const home = await this.#home?.catch(() => undefined);
    home?.[Symbol.dispose]();
    if (home !== undefined) await rm(this.#layer, { recursive: true, force: true });
    return message;
  }

  // Without mounts a program has the machine's own files, and what is to lie among them cannot be there.
  async #startAtPlace(program: ContainerProgram, endsGroup: boolean): Promise<RunningProgram> {
    const mounts = program.needsFiles === false ? [] : this.start.container.spec.volumeMounts;
    const mount = mounts?.find(({ mountPath }) => mountPath !== SERVICE_ACCOUNT_FOLDER);
    if (mount !== undefined) {
      throw new Error(
        `volume "${mount.name}" cannot be mounted: pods have no files of their own in this tier (towtank doctor)`,
      );
    }
    return startProgram({ ...this.#specOf(program), endsGroup });
  }

  async #createHome(): Promise<ProgramHome> {
    const { files, hostname } = this.pod;
    const { spec } = this.start.container;
    await files.ensure();
    this.#message = await files.terminationLog(spec);
    const mounts = [...(await files.mounts(spec, this.start.env)), this.#message];
    if (this.#isClosed) throw new Error('the container has ended');
    return ProgramHome.create({
      hostname: hostname.hostname,
      files: files.replacements,
      mounts,
      folders: [join('/', spec.workingDir ?? '')],
      layer: this.#layer,
      proc: true,
    });
  }

  #specOf({ command, tty = false, hasInput = false }: ContainerProgram) {
    const { workingDir } = this.start.container.spec;
    return {
      command,
      env: this.environment(tty),
      cwd: join('/', workingDir ?? ''),
      netns: this.pod.netns,
      tty,
      stdin: hasInput ? ('pipe' as const) : ('ignore' as const),
    };
  }

  async #readMessage(exitCode: number): Promise<string | undefined> {
    const { container, log } = this.start;
    const file = this.#message && (await readFile(this.#message.source).catch(() => undefined));
    if (file !== undefined && file.length > 0) return file.subarray(0, MAX_MESSAGE_BYTES).toString('utf8');
    if (exitCode === 0 || container.spec.terminationMessagePolicy !== 'FallbackToLogsOnError') return undefined;
    return log.tail(MAX_LOG_MESSAGE.bytes, MAX_LOG_MESSAGE.lines) || undefined;
  }
}
