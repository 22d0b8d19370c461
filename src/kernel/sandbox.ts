import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { UserError } from '../errors/towtank-error.ts';
import { administratorSearchPath, findExecutable } from './programs/find-executable.ts';
import type { ProgramExit } from './programs/program.ts';
import { guardCommand, sandboxCommand } from './sandbox/launch-command.ts';
import { endedAtOnce, launchError, readLaunchFacts } from './sandbox/launch-failure.ts';
import { keptPathsVariable } from './sandbox/prepare-sandbox.ts';
import { readPrivileges } from './sandbox/privileges.ts';
import { firstChild, processStartTime } from './sandbox/process-identity.ts';

export { joinCommand } from './sandbox/join-command.ts';
export { killSandbox } from './sandbox/kill-sandbox.ts';
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
  /** Namespaces of its own, or none: then `entry` is run once more, with `--clean` behind its arguments, when it has ended. */
  readonly isolation?: 'namespaces' | 'none';
}

export interface SandboxProcess {
  /** Pid of the process outside that ends with the sandbox, after whatever is to be cleaned up. */
  readonly outerPid: number;
  readonly outerStartTime: string | undefined;
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
  const log = openLog(options.logFile);
  let child: ChildProcess;
  try {
    child = spawnSandbox(options, { administrator: privileges.administrator, log: log.fd });
  } finally {
    closeSync(log.fd);
  }
  const exited = exitOf(child);
  const started = await Promise.race([firstOutput(child.stdout!), exited.then(() => undefined)]);
  const innerPid = started === undefined || child.pid === undefined ? undefined : firstChild(child.pid);
  const innerStartTime = innerPid === undefined ? undefined : processStartTime(innerPid);
  if (innerPid === undefined || innerStartTime === undefined) {
    child.kill('SIGKILL');
    await exited;
    const stderr = readFileSync(options.logFile).subarray(log.size).toString().trim();
    if (started === true) throw endedAtOnce(stderr);
    throw launchError(readLaunchFacts({ stderr, administrator: privileges.administrator }));
  }
  child.stdout!.destroy();
  child.unref();
  const isolation = options.isolation ?? 'namespaces';
  return sandboxProcess(child, exited, { innerPid, innerStartTime, isolation });
}

function sandboxProcess(
  child: ChildProcess,
  exited: Promise<ProgramExit>,
  {
    isolation,
    ...identity
  }: Pick<SandboxProcess, 'innerPid' | 'innerStartTime'> & Required<Pick<SandboxOptions, 'isolation'>>,
): SandboxProcess {
  const outerPid = child.pid!;
  const waitForEnd = () => {
    child.ref();
    return exited;
  };
  const kill = () => {
    child.ref();
    killAll(isolation === 'none' ? [identity.innerPid] : [identity.innerPid, outerPid]);
  };
  return { outerPid, outerStartTime: processStartTime(outerPid), ...identity, exited, waitForEnd, kill };
}

function openLog(path: string): { readonly fd: number; readonly size: number } {
  try {
    const fd = openSync(path, 'a');
    return { fd, size: fstatSync(fd).size };
  } catch (cause) {
    throw new UserError({
      code: 'ERR_STATE_DIR',
      message: `the log of the sandbox cannot be written: ${(cause as Error).message}`,
      hint: 'see that the folder exists, is yours and has room',
      cause,
    });
  }
}

function spawnSandbox(
  options: SandboxOptions,
  { administrator, log }: { readonly administrator: boolean; readonly log: number },
): ChildProcess {
  if (options.isolation !== 'none') utilLinux('nsenter');
  const words = [process.execPath, ...(options.execArgv ?? []), options.entry, ...options.args];
  const command =
    options.isolation === 'none'
      ? guardCommand(words, utilLinux('setpriv'))
      : sandboxCommand({ administrator }, { unshare: utilLinux('unshare'), command: words });
  const kept = [options.stateDir, dirname(options.logFile), dirname(options.entry), dirname(process.execPath)];
  return spawn(command[0]!, command.slice(1), {
    cwd: '/',
    detached: true,
    env: { ...process.env, ...options.env, [keptPathsVariable]: JSON.stringify(kept) },
    stdio: ['ignore', 'pipe', log, ...options.listenFds],
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

function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}
