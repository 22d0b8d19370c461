import { once } from 'node:events';
import { closeSync, fstatSync, readSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import { SystemCallError } from '../../errors/system-call-error.ts';
import { MFD_CLOEXEC, POSIX_SPAWN_SETSIGDEF, POSIX_SPAWN_SETSIGMASK } from '../ffi/constants.ts';
import { libc } from '../ffi/libc.ts';
import { systemCall } from '../ffi/system-calls.ts';
import { openPipe } from './open-pipe.ts';
import type { ProgramExit } from './program.ts';
import type { ProgramResult } from './run-program.ts';

export interface ToEndSpec {
  /** The program's path and its arguments. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly input: string;
}

// More than posix_spawnattr_t and posix_spawn_file_actions_t have in glibc and musl.
const OPAQUE_BYTES = 512;
const SIGNAL_SET_BYTES = 128;

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/**
 * Runs a program to its end while this thread waits; it is not for a thread that has something else to do. posix_spawn does not
 * copy the page tables of this process, which for a large one takes longer than all that the program does. Throws ERR_SYSCALL.
 */
export function runToEnd(spec: ToEndSpec): ProgramResult {
  using started = new Started(spec);
  return started.finish();
}

/**
 * The same while this thread does other things: the end of a pipe tells it that the program has ended, so that it must not
 * close files that it did not open. Rejects with ERR_SYSCALL.
 */
export async function runBeside(spec: ToEndSpec): Promise<ProgramResult> {
  const { read, write } = openPipe();
  const end = new Socket({ fd: read, writable: false });
  try {
    using started = startHolding(spec, write);
    await once(end.resume(), 'close');
    return started.finish();
  } finally {
    end.destroy();
  }
}

// The program has a copy then, or could not be started.
function startHolding(spec: ToEndSpec, end: number): Started {
  try {
    return new Started(spec, end);
  } finally {
    closeSync(end);
  }
}

/** A program that runs, with files in memory at its three ends: pipes would have to be filled and emptied meanwhile. */
class Started implements Disposable {
  readonly #pid: number;
  readonly #command: readonly string[];
  readonly #files = [memoryFile('input'), memoryFile('output'), memoryFile('errors')] as const;

  /** The program gets a copy of `held` as well, which it keeps open as long as it runs. */
  constructor({ command, env, input }: ToEndSpec, ...held: readonly number[]) {
    this.#command = command;
    try {
      if (input !== '') writeWhole(this.#files[0], input);
      this.#pid = spawn(command, env, [...this.#files, ...held]);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Waits until it ends. */
  finish(): ProgramResult {
    const status = Buffer.alloc(4);
    systemCall('waitpid', [this.#pid, status, 0], { subject: this.#command[0] });
    const [, output, errors] = this.#files;
    return { stdout: contentOf(output), stderr: contentOf(errors), ...exitOf(status.readInt32LE(0)) };
  }

  [Symbol.dispose](): void {
    for (const fd of this.#files) closeSync(fd);
  }
}

function spawn(command: readonly string[], env: Readonly<Record<string, string>>, files: readonly number[]): number {
  const library = libc();
  const [path = ''] = command;
  const actions = Buffer.alloc(OPAQUE_BYTES);
  const attributes = Buffer.alloc(OPAQUE_BYTES);
  const pid = Buffer.alloc(4);
  library.posix_spawn_file_actions_init(actions);
  library.posix_spawnattr_init(attributes);
  try {
    for (const [target, fd] of files.entries()) library.posix_spawn_file_actions_adddup2(actions, fd, target);
    // Node ignores SIGPIPE, and programs would inherit that.
    library.posix_spawnattr_setsigdefault(attributes, signalSet(constants.signals.SIGPIPE));
    library.posix_spawnattr_setsigmask(attributes, signalSet());
    library.posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const errno = library.posix_spawn(pid, path, actions, attributes, [...command, null], [...variables, null]);
    if (errno !== 0) throw new SystemCallError({ syscall: 'posix_spawn', errno, subject: path });
  } finally {
    library.posix_spawn_file_actions_destroy(actions);
    library.posix_spawnattr_destroy(attributes);
  }
  return pid.readInt32LE(0);
}

function signalSet(...signals: readonly number[]): Buffer {
  const set = Buffer.alloc(SIGNAL_SET_BYTES);
  for (const signal of signals) set[(signal - 1) >> 3]! |= 1 << ((signal - 1) & 7);
  return set;
}

function memoryFile(name: string): number {
  return systemCall('memfd_create', [name, MFD_CLOEXEC], { subject: name });
}

// At places of its own: the program reads and writes from the file's beginning.
function writeWhole(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, at);
}

function contentOf(fd: number): string {
  const bytes = Buffer.alloc(fstatSync(fd).size);
  let length = 0;
  while (length < bytes.length) {
    const read = readSync(fd, bytes, length, bytes.length - length, length);
    if (read === 0) break;
    length += read;
  }
  return bytes.toString('utf8', 0, length);
}

// As WIFEXITED and WTERMSIG in wait(2).
function exitOf(status: number): ProgramExit {
  const signal = status & 0x7f;
  if (signal === 0) return { exitCode: (status >> 8) & 0xff, signal: undefined };
  return { exitCode: undefined, signal: signalNames.get(signal) ?? String(signal) };
}
