import type { Readable, Writable } from 'node:stream';
import type { NetworkNamespace } from '../network-namespace.ts';
import type { ProgramHome } from './program-home.ts';

/** How a program ended: with an exit status, or by a signal such as `SIGKILL`. */
export interface ProgramExit {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
}

export interface RunningProgram {
  /** As the sandbox numbers processes. For a program with its own pid namespace it is that namespace's pid 1. */
  readonly pid: number;
  readonly stdin: Writable;
  /** With a terminal: everything the program prints, standard error too. */
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves when the program ended; what it printed before may still wait to be read. Never rejects. */
  readonly exited: Promise<ProgramExit>;
  /** Sends a signal; a program that has ended already is no error. */
  kill(signal: NodeJS.Signals): void;
  /** Tells the program's terminal its size; nothing happens without a terminal. */
  resize(columns: number, rows: number): void;
}

/** A file or directory that the program sees in another place. */
export interface ProgramMount {
  readonly source: string;
  readonly target: string;
  readonly readOnly?: boolean;
}

/** What a program has for itself alone: mount and host name namespaces, and with `proc` its own processes. */
export interface ProgramSandbox {
  readonly hostname: string;
  /** Files that replace others: `{ '/etc/hosts': '/run/towtank/pods/web/hosts' }`. */
  readonly files: Readonly<Record<string, string>>;
  readonly mounts?: readonly ProgramMount[];
  /**
   * A folder on a tmpfs of the sandbox, for a writable layer over the host's root file system: what the program changes
   * there stays in this folder, mount targets that the host lacks are made, and /dev has only what programs need.
   */
  readonly layer?: string;
  /** Folders that are made when the host lacks them; only with a `layer`. */
  readonly folders?: readonly string[];
  /** The program is pid 1 of its own pid namespace, with /proc to match: when it ends, all its children end. */
  readonly proc: boolean;
}

export interface ProgramSpec {
  /** The program and its arguments; a name without a slash is looked up in PATH of `env`. */
  readonly command: readonly string[];
  /** The whole environment; default the supervisor's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Working directory; default `/` in a sandbox, else the supervisor's own. */
  readonly cwd?: string;
  /** Default: the sandbox's root namespace. */
  readonly netns?: NetworkNamespace;
  readonly sandbox?: ProgramSandbox;
  /** Of at most 64 bytes; default the supervisor's own. A sandbox or home has one already. */
  readonly hostname?: string | undefined;
  /** Namespaces that are furnished already; instead of `sandbox`. */
  readonly home?: ProgramHome;
  /**
   * With processes of its own: a shell is pid 1 and the program its child, so that signals which it does not handle, such as
   * that of Ctrl-C, end it; as pid 1 it would never see them.
   */
  readonly beneathInit?: boolean;
  /** At a shared place: when it ends, the other processes of its process group are killed, as those of a pid namespace are. */
  readonly endsGroup?: boolean;
  /** Gives the program a terminal. */
  readonly tty?: boolean;
  /** Default `ignore`: it reads the end of input at once. */
  readonly stdin?: 'pipe' | 'ignore';
}
