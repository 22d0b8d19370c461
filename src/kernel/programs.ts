import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { PassThrough, Readable, Writable } from 'node:stream';
import { TowtankError } from '../errors/towtank-error.ts';
import { NetworkNamespace } from './network-namespace.ts';
import { administratorSearchPath, findExecutable } from './programs/find-executable.ts';
import { inFreshNamespaces, inNamespacesOf } from './programs/private-namespaces.ts';
import type { ProgramExit, ProgramSpec, RunningProgram } from './programs/program.ts';
import { openPseudoTerminal, type PseudoTerminal } from './programs/pseudo-terminal.ts';

export type { ProgramExit, ProgramMount, ProgramSandbox, ProgramSpec, RunningProgram } from './programs/program.ts';
export { ProgramHome } from './programs/program-home.ts';

// /proc can only be mounted from inside the new pid namespace, so the program's first act is to do it and become itself.
const mountProc = '"$0" -t proc -o nosuid,nodev,noexec proc /proc && exec "$@"';

/**
 * Starts a program in its namespaces. Throws ERR_MISSING_PROGRAM or ERR_PERMISSION, in the words of container runtimes, when
 * the command cannot be run, and ERR_SYSCALL when its namespaces cannot be made.
 */
export function startProgram(spec: ProgramSpec): RunningProgram {
  const { sandbox, home } = spec;
  return launch(spec, (start) => {
    if (home !== undefined) return home.enter(start);
    return sandbox === undefined ? start() : inFreshNamespaces(sandbox, start);
  });
}

/** Starts a further program in the namespaces of a running one, as `kubectl exec` does. Throws as `startProgram`. */
export function runInside(pid: number, spec: Omit<ProgramSpec, 'sandbox'>): RunningProgram {
  return launch({ cwd: '/', ...spec }, (start) => inNamespacesOf(pid, start));
}

type Bracket = (start: () => ChildProcess) => ChildProcess;

function launch(spec: ProgramSpec, bracket: Bracket): RunningProgram {
  const netns = spec.netns ?? NetworkNamespace.current();
  const terminal = spec.tty === true ? openPseudoTerminal() : undefined;
  try {
    const child = netns.run(() => bracket(() => spawnChild(spec, terminal)));
    return supervise(child, terminal);
  } catch (error) {
    terminal?.master.destroy();
    throw error;
  } finally {
    terminal?.closeSlave();
  }
}

function spawnChild(spec: ProgramSpec, terminal: PseudoTerminal | undefined): ChildProcess {
  const env = spec.env ?? process.env;
  const isInside = spec.sandbox !== undefined || spec.home !== undefined;
  const cwd = spec.cwd ?? (isInside ? '/' : process.cwd());
  const [name = '', ...args] = spec.command;
  const words = [findExecutable(name, env.PATH ?? '/usr/bin:/bin', cwd), ...args];
  if ((spec.sandbox?.proc ?? spec.home?.hasOwnProcesses) === true)
    words.unshift('/bin/sh', '-c', mountProc, ownProgram('mount'));
  // The child does not lead its process group, so setsid(1) need not fork and keeps its pid.
  if (terminal !== undefined) words.unshift(ownProgram('setsid'), '-c');
  const stdio: SpawnOptions['stdio'] =
    terminal === undefined
      ? [spec.stdin ?? 'ignore', 'pipe', 'pipe']
      : [terminal.slave, terminal.slave, terminal.slave];
  return spawn(words[0]!, words.slice(1), { env, cwd, stdio });
}

function ownProgram(name: string): string {
  return findExecutable(name, administratorSearchPath(), '/');
}

function supervise(child: ChildProcess, terminal: PseudoTerminal | undefined): RunningProgram {
  const exited = exitOf(child);
  if (child.pid === undefined) {
    throw new TowtankError({
      code: 'ERR_PERMISSION',
      message: `exec: "${child.spawnfile}": cannot be started`,
      hint: 'its interpreter or working directory is missing, or this user has too many processes (ulimit -u)',
    });
  }
  return {
    pid: child.pid,
    stdin: terminal?.master ?? child.stdin ?? closedInput(),
    stdout: terminal === undefined ? child.stdout! : outputOf(terminal),
    stderr: child.stderr ?? Readable.from([]),
    exited,
    kill: (signal) => void child.kill(signal),
    resize: (columns, rows) => terminal?.resize(columns, rows),
  };
}

function exitOf(child: ChildProcess): Promise<ProgramExit> {
  return new Promise((resolve) => {
    child.once('exit', (exitCode, signal) => resolve({ exitCode: exitCode ?? undefined, signal: signal ?? undefined }));
    // Only after a failed start, which `supervise` reports, or a failed kill of a process that is gone.
    child.on('error', () => {});
  });
}

// Reading the master fails with EIO once every copy of the slave is closed: that is how a terminal says end of file.
function outputOf({ master }: PseudoTerminal): Readable {
  const output = new PassThrough();
  master.on('error', () => output.end());
  return master.pipe(output);
}

function closedInput(): Writable {
  return new Writable().destroy();
}
