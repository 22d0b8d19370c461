import { KernelCommandError } from '../../errors/kernel-command-error.ts';
import { isLibcAvailable } from '../ffi/libc.ts';
import type { NetworkNamespace } from '../network-namespace.ts';
import { administratorSearchPath, findExecutable } from '../programs/find-executable.ts';
import { type ProgramResult, runProgram } from '../programs/run-program.ts';
import { runBeside } from '../programs/run-to-end.ts';
import { KernelThread } from '../thread/kernel-thread-handle.ts';

export interface KernelCommand {
  readonly netns: NetworkNamespace;
  readonly command: readonly string[];
  /** What the program reads on its standard input. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Runs it beside this thread, where it finds the namespace; the command is then the path of a program. */
  readonly thread?: KernelThread | undefined;
}

/** Runs a program that speaks to the kernel; any exit status resolves. Throws ERR_MISSING_PROGRAM with the package's name. */
export async function runKernelCommand({ netns, command, input, env, thread }: KernelCommand): Promise<ProgramResult> {
  // Error texts are read by our own parsers and tests: always in English.
  const environment = { PATH: administratorSearchPath(), LC_ALL: 'C', ...env };
  if (thread !== undefined && KernelThread.finds(netns)) {
    const { name: netnsName, path: netnsPath } = netns;
    const task = { kind: 'run', netnsName, netnsPath, command, env: environment, input: input ?? '' } as const;
    const result = await thread.do(task);
    if (result !== undefined) return result;
  }
  if (thread === undefined && netns.place === undefined && isLibcAvailable()) {
    const [name = '', ...args] = command;
    const path = findExecutable(name, environment.PATH, '/');
    const spec = { command: [path, ...args], env: environment, input: input ?? '' };
    // It has started in the namespace when this returns; the wait is outside.
    return await netns.run(() => ({ result: runBeside(spec) })).result;
  }
  return await runProgram({ command, netns, env: environment }, input);
}

/** The same, rejecting with KernelCommandError when the exit status is not 0. */
export async function succeed(kernelCommand: KernelCommand): Promise<string> {
  const result = await runKernelCommand(kernelCommand);
  if (result.exitCode !== 0) throw commandError(kernelCommand, result);
  return result.stdout;
}

/** The error of a command that ended with a status it should not have. */
export function commandError({ netns, command }: KernelCommand, result: ProgramResult): KernelCommandError {
  const { exitCode, signal } = result;
  const stderr = result.stderr || (signal === undefined ? result.stdout : `ended by ${signal}`);
  return new KernelCommandError({ command: command.join(' '), netns: netns.name, exitCode, stderr });
}
