import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { TowtankError } from '../errors/towtank-error.ts';
import { NetworkNamespace, type SharedPlace } from './network-namespace.ts';
import { administratorSearchPath, findExecutable } from './programs/find-executable.ts';
import { keptCapabilities } from './programs/kept-capabilities.ts';
import { inFreshNamespaces, inNamespacesOf, underHostname } from './programs/private-namespaces.ts';
import type { ProgramExit, ProgramSpec, RunningProgram } from './programs/program.ts';
import { openPipeEnds, openTerminalEnds, type ProgramEnds } from './programs/program-ends.ts';

export type { ProgramSpec, RunningProgram } from './programs/program.ts';
export { ProgramHome } from './programs/program-home.ts';

// /proc can only be mounted from inside the new pid namespace, so the program's first act is to do it and become itself.
const mountProc = '"$0" -t proc -o nosuid,nodev,noexec proc /proc && ';
const becomeProgram = 'exec "$@"';
// What the shell itself has to say of a child that a signal ended is no output of the program.
const waitForProgram = '{ exec 3>&2 2>/dev/null; (exec 2>&3 3>&- "$@"); exit $?; }';

/**
 * Starts a program in its namespaces. Throws ERR_MISSING_PROGRAM or ERR_PERMISSION, in the words of container runtimes, when
 * the command cannot be run, and ERR_SYSCALL when its namespaces cannot be made.
 */
export function startProgram(spec: ProgramSpec): RunningProgram {
  const { sandbox, home, hostname } = spec;
  return launch(spec, (start) => {
    if (home !== undefined) return home.enter(start);
    if (sandbox !== undefined) return inFreshNamespaces(sandbox, start);
    return hostname === undefined ? start() : underHostname(hostname, start);
  });
}

/** Starts a further program in the namespaces of a running one, as `kubectl exec` does. Throws as `startProgram`. */
export function runInside(pid: number, spec: Omit<ProgramSpec, 'sandbox'>): RunningProgram {
  return launch({ cwd: '/', ...spec }, (start) => inNamespacesOf(pid, start));
}

type Bracket = (start: () => ChildProcess) => ChildProcess;

function launch(spec: ProgramSpec, bracket: Bracket): RunningProgram {
  const netns = spec.netns ?? NetworkNamespace.current();
  const ends = spec.tty === true ? openTerminalEnds() : openPipeEnds(spec.stdin ?? 'ignore');
  try {
    const child = netns.run(() => bracket(() => spawnChild(spec, ends)));
    if (spec.endsGroup === true) child.once('exit', () => killGroup(child.pid));
    return supervise(child, ends);
  } catch (error) {
    ends.destroy();
    throw error;
  } finally {
    ends.closeOfChild();
  }
}

function spawnChild(spec: ProgramSpec, { ofChild }: ProgramEnds): ChildProcess {
  const place = spec.netns?.place;
  const env = { ...(spec.env ?? process.env), ...place?.loopback?.environment };
  const isInside = spec.sandbox !== undefined || spec.home !== undefined;
  const cwd = spec.cwd ?? (isInside ? '/' : process.cwd());
  const [name = '', ...args] = spec.command;
  const file = findExecutable(name, env.PATH ?? '/usr/bin:/bin', cwd);
  const options: SpawnOptions = { env, cwd, stdio: [...ofChild] };
  const words = [name, ...args];
  const hasOwnProc = (spec.sandbox?.proc ?? spec.home?.hasOwnProcesses) === true;
  if (hasOwnProc) {
    const last = spec.beneathInit === true ? waitForProgram : becomeProgram;
    words.unshift('/bin/sh', '-c', mountProc + last, ownProgram('mount'));
  }
  if (place !== undefined) words.splice(0, 1, ...becomePlace(place), file);
  // The child does not lead its process group, so setsid(1) need not fork and keeps its pid.
  if (spec.tty === true) words.unshift(ownProgram('setsid'), '-c');
  else if (place !== undefined) options.detached = true;
  if (!hasOwnProc && spec.tty !== true && place === undefined) return spawn(file, args, { ...options, argv0: name });
  return spawn(words[0]!, words.slice(1), options);
}

// The kernel tells places apart by user id; all that root may do here is kept, so that programs notice little of it.
function becomePlace({ uid }: SharedPlace): readonly string[] {
  // Without an id of its own it ends with the supervisor at least, however that ends.
  if (uid === undefined) return [ownProgram('setpriv'), '--pdeathsig=KILL', '--'];
  return [ownProgram('setpriv'), `--reuid=${uid}`, '--clear-groups', ...keptCapabilities(), '--'];
}

function killGroup(leader: number | undefined): void {
  if (leader === undefined) return;
  try {
    process.kill(-leader, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function ownProgram(name: string): string {
  return findExecutable(name, administratorSearchPath(), '/');
}

function supervise(child: ChildProcess, { stdin, stdout, stderr, resize }: ProgramEnds): RunningProgram {
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
    stdin,
    stdout,
    stderr,
    exited,
    kill: (signal) => void child.kill(signal),
    resize,
  };
}

function exitOf(child: ChildProcess): Promise<ProgramExit> {
  return new Promise((resolve) => {
    child.once('exit', (exitCode, signal) => resolve({ exitCode: exitCode ?? undefined, signal: signal ?? undefined }));
    // Only after a failed start, which `supervise` reports, or a failed kill of a process that is gone.
    child.on('error', () => {});
  });
}
