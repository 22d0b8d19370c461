import { closeSync } from 'node:fs';
import { CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUTS } from '../ffi/constants.ts';
import { systemCall } from '../ffi/system-calls.ts';
import { enterNamespace, furnish, openNamespace, withNamespacesKept } from './private-namespaces.ts';
import type { ProgramSandbox } from './program.ts';

/** A furnished file system and host name in which programs are started one after the other: what the first one changes, the next one sees. */
export class ProgramHome implements Disposable {
  readonly #mounts: number;
  readonly #hostname: number;
  readonly #sandbox: ProgramSandbox;
  #isClosed = false;

  private constructor(sandbox: ProgramSandbox, mounts: number, hostname: number) {
    this.#sandbox = sandbox;
    this.#mounts = mounts;
    this.#hostname = hostname;
  }

  /** Makes the namespaces. Throws ERR_SYSCALL when the kernel refuses. */
  static create(sandbox: ProgramSandbox): ProgramHome {
    return withNamespacesKept(() => {
      furnish(sandbox);
      return new ProgramHome(
        sandbox,
        openNamespace('/proc/thread-self/ns/mnt'),
        openNamespace('/proc/thread-self/ns/uts'),
      );
    });
  }

  /** True when each program gets a pid namespace, and /proc, of its own. */
  get hasOwnProcesses(): boolean {
    return this.#sandbox.proc;
  }

  /** Runs `start` with this thread inside; programs that it starts are born there, with processes of their own if the sandbox says so. */
  enter<T>(start: () => T): T {
    return withNamespacesKept(() => {
      enterNamespace(this.#mounts, CLONE_NEWNS, 'mounts of a home');
      enterNamespace(this.#hostname, CLONE_NEWUTS, 'host name of a home');
      if (this.#sandbox.proc) {
        // Each program mounts its own /proc: on a copy of the mounts, so that it does not hide another one's.
        systemCall('unshare', [CLONE_NEWNS | CLONE_NEWPID], { subject: 'processes' });
      }
      return start();
    });
  }

  /** Lets go of it; programs that still run in it keep it alive. Repeating it is harmless. */
  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.#mounts);
    closeSync(this.#hostname);
  }
}
