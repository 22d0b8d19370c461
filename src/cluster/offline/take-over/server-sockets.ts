import { closeSync, fstatSync } from 'node:fs';
import type { Listen, ListenAddress } from '../../../proxy/health/http-listener.ts';
import type { ServerSocket } from './messages.ts';

/** The listening sockets of a proxy's own servers (health, metrics): those of the proxy before it are used again. */
export class ServerSockets {
  readonly #open: Listen;
  readonly #inherited = new Map<string, number>();
  readonly #given = new Map<string, ServerSocket & { readonly inode: number }>();

  constructor(open: Listen) {
    this.#open = open;
  }

  /** Takes sockets of another process over. */
  inherit(sockets: readonly ServerSocket[]): void {
    for (const { host, port, descriptor } of sockets) this.#inherited.set(keyOf({ host, port }), descriptor);
  }

  /** A listening socket, which the caller closes. Throws what `open` throws. */
  listen(address: ListenAddress): number {
    const { host, port } = address;
    const key = keyOf(address);
    const descriptor = this.#inherited.get(key) ?? this.#open(address);
    this.#inherited.delete(key);
    this.#given.set(key, { host, port, descriptor, inode: fstatSync(descriptor).ino });
    return descriptor;
  }

  /** Those that are still open: numbers are given out again, inodes of sockets are not. */
  current(): readonly ServerSocket[] {
    return [...this.#given.values()].filter(({ descriptor, inode }) => inodeOf(descriptor) === inode);
  }

  /** Closes what was inherited and nobody wanted. */
  closeUnused(): void {
    for (const descriptor of this.#inherited.values()) closeSync(descriptor);
    this.#inherited.clear();
  }
}

const keyOf = ({ host, port }: ListenAddress): string => `${host} ${port}`;

function inodeOf(descriptor: number): number | undefined {
  try {
    return fstatSync(descriptor).ino;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EBADF') return undefined;
    throw error;
  }
}
