import type { Readable, Writable } from 'node:stream';
import type { RunningProgram } from '../../kernel/programs.ts';
import type { ExitStatus, ProcessStreams } from '../../kube/kubelet-connection.ts';

const SIGNAL_NUMBERS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
};

// A background child may hold the pipes open for ever after the program itself has ended.
const QUIET_MS = 200;

/** How a program ended as container runtimes count: a signal is 128 and its number. */
export async function exitCodeOf(program: RunningProgram): Promise<number> {
  const { exitCode, signal } = await program.exited;
  return exitCode ?? 128 + (SIGNAL_NUMBERS[signal ?? ''] ?? 0);
}

/** Connects a program to the streams of an exec or attach; resolves when it has ended and its output is written. */
export async function pipeProgram(program: RunningProgram, streams: ProcessStreams): Promise<ExitStatus> {
  const kill = (): void => program.kill('SIGKILL');
  streams.signal.addEventListener('abort', kill, { once: true });
  // A program that does not read its input, or ends before it, is no failure of the exec.
  program.stdin.on('error', () => {});
  streams.stdin?.on('error', () => program.stdin.end());
  streams.stdin?.pipe(program.stdin);
  void followSize(program, streams);
  const outputs = [deliver(program.stdout, streams.stdout), deliver(program.stderr, streams.stderr)];
  const exitCode = await exitCodeOf(program);
  await Promise.all(outputs.map((output) => output.finish()));
  streams.signal.removeEventListener('abort', kill);
  streams.stdin?.unpipe(program.stdin);
  return { exitCode };
}

/** Tells a program's terminal the sizes of the client's window as they come. */
export async function followSize(program: RunningProgram, { resize }: ProcessStreams): Promise<void> {
  if (resize === undefined) return;
  try {
    for await (const { width, height } of resize) program.resize(width, height);
  } catch {
    // The client is gone, or the program and its terminal are: there is no size any more.
  }
}

/** Copies what a program prints; `finish`, called when the program has ended, resolves when all of it is written. */
export function deliver(source: Readable, target: Writable | undefined): { finish(): Promise<void> } {
  let last = performance.now();
  const ended = new Promise<void>((resolve) => source.once('end', resolve).once('close', resolve));
  source.on('error', () => {});
  source.on('data', (chunk: Buffer) => {
    last = performance.now();
    if (target === undefined || !target.writable || target.write(chunk)) return;
    source.pause();
    target.once('drain', resume);
  });
  // A target that is gone takes everything.
  const resume = (): void => void source.resume();
  target?.once('close', resume);
  const quiet = async (): Promise<void> => {
    while (source.isPaused() || performance.now() - last < QUIET_MS) {
      await new Promise((resolve) => setTimeout(resolve, QUIET_MS).unref());
    }
    source.destroy();
  };
  return {
    finish: async () => {
      last = performance.now();
      await Promise.race([ended, quiet()]);
    },
  };
}
