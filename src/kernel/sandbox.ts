import { type ChildProcess, spawn } from 'node:child_process';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { UserError } from '../errors/towtank-error.ts';
import { administratorSearchPath, findExecutable } from './programs/find-executable.ts';
import type { ProgramExit } from './programs/program.ts';
import { sandboxCommand } from './sandbox/launch-command.ts';
import { launchError, readLaunchFacts } from './sandbox/launch-failure.ts';
import { keptPathsVariable } from './sandbox/prepare-sandbox.ts';
import { readPrivileges } from './sandbox/privileges.ts';
import { firstChild, processStartTime } from './sandbox/process-identity.ts';

export { type JoinOptions, joinCommand } from './sandbox/join-command.ts';
export { killSandbox, type SandboxIdentity } from './sandbox/kill-sandbox.ts';
export { prepareSandbox } from './sandbox/prepare-sandbox.ts';
export { processStartTime } from './sandbox/process-identity.ts';

export interface SandboxOptions {
  /** The file that Node runs in the sandbox, .ts or .js. */
  readonly entry: string;
  readonly args: readonly string[];
  /** Options of Node itself. */
  readonly execArgv?: readonly string[];
  /** A folder that stays as it is in the sandbox, even under /run. */
  readonly stateDir: string;
  /** Descriptors of this process that the sandbox gets as 3, 4, …: listening sockets of the host. */
  readonly listenFds: readonly number[];
  /** Standard output and error of the sandbox are appended here. */
  readonly logFile: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface SandboxProcess {
  /** Pid of the process outside that ends with the sandbox. */
  readonly outerPid: number;
  /** Pid of the sandbox's pid 1 as the host numbers it: what `joinCommand` takes. */
  readonly innerPid: number;
  /** `processStartTime` of `innerPid`, to know it again later. */
  readonly innerStartTime: string;
  /** Resolves when the sandbox ended; never rejects. Waiting for it keeps this process alive only after `kill`. */
  readonly exited: Promise<ProgramExit>;
  /** `exited`, keeping this process alive. */
  waitForEnd(): Promise<ProgramExit>;
  /** Ends every process of the sandbox at once; the kernel then removes its namespaces and what is in them. */
  kill(): void;
}

/**
 * Starts Node with `entry` in user (unless root), mount, pid, network, host name and IPC namespaces of its own, as a process
 * that outlives this one; resolves when they exist. Rejects with ERR_NO_USER_NAMESPACES, ERR_PERMISSION or
 * ERR_MISSING_PROGRAM, whose hint says what to do; nothing is left then.
 */
export async function launchSandbox(options: SandboxOptions): Promise<SandboxProcess> {
  const privileges = readPrivileges();
  const child = spawnSandbox(options, privileges.administrator);
  const exited = exitOf(child);
  const stderr = collect(child.stderr!);
  const started = await Promise.race([firstOutput(child.stdout!), exited.then(() => undefined)]);
  const innerPid = started === undefined || child.pid === undefined ? undefined : firstChild(child.pid);
  const innerStartTime = innerPid === undefined ? undefined : processStartTime(innerPid);
  if (innerPid === undefined || innerStartTime === undefined) {
    child.kill('SIGKILL');
    await exited;
    throw launchError(readLaunchFacts({ stderr: stderr().trim(), administrator: privileges.administrator }));
  }
  child.stdout!.destroy();
  child.stderr!.destroy();
  child.unref();
  const kill = () => {
    child.ref();
    killAll([innerPid, child.pid!]);
  };
  const waitForEnd = () => {
    child.ref();
    return exited;
  };
  return { outerPid: child.pid!, innerPid, innerStartTime, exited, waitForEnd, kill };
}

function spawnSandbox(options: SandboxOptions, administrator: boolean): ChildProcess {
  const command = sandboxCommand(
    { administrator },
    {
      unshare: utilLinux('unshare'),
      logFile: options.logFile,
      command: [process.execPath, ...(options.execArgv ?? []), options.entry, ...options.args],
    },
  );
  utilLinux('nsenter');
  const kept = [options.stateDir, dirname(options.logFile), dirname(options.entry), dirname(process.execPath)];
  return spawn(command[0]!, command.slice(1), {
    cwd: '/',
    detached: true,
    env: { ...process.env, ...options.env, [keptPathsVariable]: JSON.stringify(kept) },
    stdio: ['ignore', 'pipe', 'pipe', ...options.listenFds],
  });
}

function utilLinux(name: string): string {
  try {
    return findExecutable(name, administratorSearchPath(), '/');
  } catch (cause) {
    throw new UserError({
      code: 'ERR_MISSING_PROGRAM',
      message: `the program ${name} is missing`,
      hint: 'install the package util-linux',
      cause,
    });
  }
}

function exitOf(child: ChildProcess): Promise<ProgramExit> {
  return new Promise((resolve) => {
    child.once('exit', (exitCode, signal) => resolve({ exitCode: exitCode ?? undefined, signal: signal ?? undefined }));
    child.once('error', () => resolve({ exitCode: undefined, signal: undefined }));
  });
}

function firstOutput(stream: Readable): Promise<true | undefined> {
  return new Promise((resolve) => {
    stream.once('data', () => resolve(true));
    stream.once('close', () => resolve(undefined));
  });
}

function collect(stream: Readable): () => string {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString();
}

function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}
