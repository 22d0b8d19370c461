import { constants } from 'node:os';
import { finished } from 'node:stream/promises';
import { UserError } from '../../errors/towtank-error.ts';
import type { NetworkNamespace } from '../../kernel/network-namespace.ts';
import { type RunningProgram, startProgram } from '../../kernel/programs.ts';
import type { ExecOptions, ExitStatus } from '../../kube/kubelet-connection.ts';

const LONGEST_HOSTNAME = 63;

/** Runs a command of this machine in a network namespace, joined to the caller's streams; a signal shows as 128 + its number. */
export async function execAt(netns: NetworkNamespace, options: ExecOptions): Promise<ExitStatus> {
  const { command, stdin, stdout, stderr, tty, resize, signal } = options;
  if (command.length === 0)
    throw new UserError({ code: 'ERR_USAGE', message: 'no command was given', hint: 'write it after --' });
  const hostname = netns.place === undefined ? hostnameOf(netns) : undefined;
  const program = startProgram({ command, netns, hostname, tty, stdin: stdin ? 'pipe' : 'ignore' });
  signal.addEventListener('abort', () => program.kill('SIGKILL'), { once: true });
  stdin?.pipe(program.stdin);
  // A program that does not read to the end closes its input early, which is its right.
  program.stdin.on('error', () => stdin?.unpipe(program.stdin));
  const outputs = [
    [program.stdout, stdout],
    [program.stderr, stderr],
  ] as const;
  for (const [from, to] of outputs) {
    if (to) from.pipe(to, { end: false });
    else from.resume();
  }
  if (resize) void followSize(program, resize);
  const { exitCode, signal: endedBy } = await program.exited;
  await Promise.all(outputs.map(([from]) => finished(from, { cleanup: true })));
  return { exitCode: exitCode ?? 128 + (constants.signals[endedBy as NodeJS.Signals] ?? 0) };
}

// What a shell's prompt tells of where it is. Nodes may have longer names than hosts.
const hostnameOf = ({ name }: NetworkNamespace): string => name.slice(0, LONGEST_HOSTNAME).replace(/[.-]+$/, '');

async function followSize(program: RunningProgram, resize: NonNullable<ExecOptions['resize']>): Promise<void> {
  for await (const { width, height } of resize) program.resize(width, height);
}
