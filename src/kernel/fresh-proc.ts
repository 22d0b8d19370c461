import { mkdirSync, rmdirSync } from 'node:fs';
import { SystemCallError } from '../errors/system-call-error.ts';
import { MNT_DETACH, MS_NODEV, MS_NOEXEC, MS_NOSUID } from './ffi/constants.ts';
import { systemCall } from './ffi/system-calls.ts';

const namespacesPerMount = 64;

/**
 * Mounts of /proc in which few namespaces have been looked up. To find /proc/sys/net/ipv4 of a new namespace the kernel goes
 * through those of all others that were looked up in the same mount: the thousandth would take three times as long to make.
 */
export class FreshProc implements Disposable {
  readonly #folder: string;
  #asked = 0;
  #alive = 0;
  #isMounted = false;
  #mayMount = true;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Where /proc is for a namespace that is being made: /proc itself for the first ones, and where mounting is refused. */
  path(): string {
    this.#asked += 1;
    if (this.#mayMount && this.#asked % namespacesPerMount === 0) this.#renew();
    return this.#isMounted ? this.#folder : '/proc';
  }

  namespaceMade(): void {
    this.#alive += 1;
  }

  /** Leaves nothing behind when it was the last. */
  namespaceDeleted(): void {
    this.#alive -= 1;
    if (this.#alive === 0) this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    if (!this.#isMounted) return;
    this.#unmount();
    rmdirSync(this.#folder);
    this.#asked = 0;
  }

  #renew(): void {
    if (this.#isMounted) this.#unmount();
    mkdirSync(this.#folder, { recursive: true });
    try {
      const flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
      systemCall('mount', ['proc', this.#folder, 'proc', flags, null], { subject: this.#folder });
      this.#isMounted = true;
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      this.#mayMount = false;
      rmdirSync(this.#folder);
    }
  }

  #unmount(): void {
    systemCall('umount2', [this.#folder, MNT_DETACH], { subject: this.#folder });
    this.#isMounted = false;
  }
}
