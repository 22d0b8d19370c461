import { closeSync, mkdirSync, openSync, rmSync, stat, writeFileSync } from 'node:fs';
import { threadId } from 'node:worker_threads';
import { SystemCallError } from '../errors/system-call-error.ts';
import { TowtankError } from '../errors/towtank-error.ts';
import { AF_INET, CLONE_NEWNET, IFF_UP, MNT_DETACH, MS_BIND, SIOCSIFFLAGS, SOCK_DGRAM } from './ffi/constants.ts';
import { openSocket, systemCall } from './ffi/system-calls.ts';
import { FreshProc } from './fresh-proc.ts';

/** Where namespaces have their names, as `ip netns` looks for them; private to the sandbox. */
export const netnsDirectory = '/run/netns';

// One per thread: each has its own for a moment while it configures a namespace.
const freshProc = new FreshProc(`${netnsDirectory}/.proc${threadId === 0 ? '' : `-${threadId}`}`);
const threadNamespace = '/proc/thread-self/ns/net';
const newNamespace = {
  // Links made later take these: addresses usable at once (no duplicate address detection), no router solicitations, no address
  // of the kernel's own choice. Duplicate detection alone doubles the time a lab takes to build.
  'net/ipv6/conf/default/accept_dad': '0',
  'net/ipv6/conf/default/router_solicitations': '0',
  'net/ipv6/conf/default/addr_gen_mode': '1',
  'net/ipv6/conf/default/accept_ra': '0',
  // Every refusal is told, not only the first six to a sender: whether a port is closed must not depend on how often one asks.
  'net/ipv4/icmp_ratelimit': '0',
  'net/ipv6/icmp/ratelimit': '0',
} as const;

/** What tells one place from another where all of them stand in one network namespace: the flat and the loopback tier. */
export interface SharedPlace {
  /** Its addresses, at most one per family; what it listens on and what its packets come from. */
  readonly addresses: readonly string[];
  /** Its programs run as this user id, by which the kernel chooses their routes and source addresses. */
  readonly uid?: number;
  /** Where no user ids can be had either. */
  readonly loopback?: LoopbackPlace;
}

/** A place that is nothing but addresses of 127.0.0.0/8. */
export interface LoopbackPlace {
  /** The first port that may be opened: `openPort` tells where those below stand. */
  readonly firstPort: number;
  /** Why its programs do not find names of the cluster; undefined when they do, as the machine asks cluster DNS. */
  readonly namesObstacle: string | undefined;
  /** What the environment of its programs has besides. */
  readonly environment: Readonly<Record<string, string>>;
}

let born: NetworkNamespace | undefined;
let entered: NetworkNamespace | undefined;

interface Handle {
  readonly fd: number;
  readonly path: string;
  readonly place?: SharedPlace;
}

/** A network namespace of the sandbox, held by an open descriptor and named under /run/netns. */
export class NetworkNamespace implements AsyncDisposable {
  readonly name: string;
  readonly fd: number;
  /** A path that programs of the sandbox can open to enter it. */
  readonly path: string;
  /** Set where it is no namespace of its own but a part of the one that the process was born in. */
  readonly place: SharedPlace | undefined;
  #deleted = false;
  #isMadeHere = false;

  private constructor(name: string, { fd, path, place }: Handle) {
    this.name = name;
    this.fd = fd;
    this.path = path;
    this.place = place;
  }

  /** Names a part of the namespace that the process was born in, where no other can be made. Needs no privilege. */
  static share(name: string, place: SharedPlace): NetworkNamespace {
    checkName(name);
    const { fd, path } = NetworkNamespace.current();
    return new NetworkNamespace(name, { fd, path, place });
  }

  /** Makes a namespace with `lo` up and quiet IPv6. Throws ERR_SYSCALL (EEXIST) when the name is taken. */
  static create(name: string): NetworkNamespace {
    checkName(name);
    const before = entered ?? NetworkNamespace.current();
    const path = reserveName(name);
    try {
      systemCall('unshare', [CLONE_NEWNET], { subject: 'network', netns: name });
    } catch (error) {
      rmSync(path, { force: true });
      throw error;
    }
    try {
      configureNewNamespace();
      const fd = openSync(threadNamespace, 'r');
      const made = new NetworkNamespace(name, { fd, path: bindName(path, fd) });
      made.#isMadeHere = true;
      freshProc.namespaceMade();
      return made;
    } catch (error) {
      rmSync(path, { force: true });
      throw error;
    } finally {
      enter(before);
    }
  }

  /** Takes over a namespace that another thread made, with its descriptor. */
  static adopt(name: string, handle: { readonly fd: number; readonly path: string }): NetworkNamespace {
    return new NetworkNamespace(name, handle);
  }

  /** The namespace that the process was born in: in the sandbox, the one that holds the fabric. */
  static current(): NetworkNamespace {
    if (born === undefined) {
      startThreadPool();
      born = new NetworkNamespace('root', {
        fd: openSync(threadNamespace, 'r'),
        path: `/proc/${process.pid}/ns/net`,
      });
    }
    return born;
  }

  /** Gives back what a thread that ends holds open; the namespaces that it made stay. */
  static endThread(): void {
    freshProc[Symbol.dispose]();
    if (born !== undefined) closeSync(born.fd);
    born = undefined;
  }

  /**
   * Runs `callback` with this thread inside the namespace and returns what it returns. Only what `callback` does before it
   * returns is inside: it throws ERR_INTERNAL if `callback` returns a promise.
   */
  run<T>(callback: () => T): T {
    if (this.#deleted) throw internalError(`network namespace ${this.name} is deleted`);
    if (this.place !== undefined) return rejectPromise(callback(), this.name);
    const before = entered ?? NetworkNamespace.current();
    if (before === this) return rejectPromise(callback(), this.name);
    enter(this);
    try {
      return rejectPromise(callback(), this.name);
    } finally {
      enter(before);
    }
  }

  /** True once it was given up. */
  get isDeleted(): boolean {
    return this.#deleted;
  }

  /** Gives the namespace up; the kernel removes its links and rules once no process is left in it. Repeating it is harmless. */
  delete(): void {
    if (this.#deleted) return;
    this.#deleted = true;
    if (this.place !== undefined) return;
    if (this.path.startsWith(netnsDirectory)) {
      systemCall('umount2', [this.path, MNT_DETACH], { subject: this.path });
      rmSync(this.path, { force: true });
    }
    closeSync(this.fd);
    if (this.#isMadeHere) freshProc.namespaceDeleted();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.delete();
  }
}

function checkName(name: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/.test(name)) {
    throw new TowtankError({ code: 'ERR_USAGE', message: `'${name}' is not a name for a network namespace` });
  }
}

function internalError(message: string): TowtankError {
  return new TowtankError({ code: 'ERR_INTERNAL', message });
}

function rejectPromise<T>(result: T, name: string): T {
  if (!(result instanceof Promise)) return result;
  result.catch(() => {});
  throw internalError(`code run in network namespace ${name} is asynchronous and would go on outside of it`);
}

function enter(namespace: NetworkNamespace): void {
  systemCall('setns', [namespace.fd, CLONE_NEWNET], { subject: `network namespace ${namespace.name}` });
  entered = namespace === born ? undefined : namespace;
}

// Threads of libuv's pool keep the network namespace of the thread that first uses the pool, for good: it must be born before
// the first entry into another one. All of its threads start on the first use.
function startThreadPool(): void {
  stat('/', () => {});
}

function reserveName(name: string): string {
  mkdirSync(netnsDirectory, { recursive: true });
  const path = `${netnsDirectory}/${name}`;
  try {
    closeSync(openSync(path, 'wx', 0o444));
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).errno;
    if (errno === undefined) throw error;
    throw new SystemCallError({ syscall: 'open', errno: -errno, subject: path });
  }
  return path;
}

// Where mounting is refused (a container under AppArmor) the namespace lives without a name, by its descriptor.
function bindName(path: string, fd: number): string {
  try {
    systemCall('mount', [threadNamespace, path, null, MS_BIND, null], { subject: path });
    return path;
  } catch (error) {
    if (!(error instanceof SystemCallError) || (error.errno !== 'EPERM' && error.errno !== 'EACCES')) throw error;
    rmSync(path, { force: true });
    return `/proc/${process.pid}/fd/${fd}`;
  }
}

/** Brings `lo` up and keeps IPv6 quiet in the namespace that this thread is in. */
export function configureNewNamespace(): void {
  const proc = freshProc.path();
  for (const [key, value] of Object.entries(newNamespace)) writeIfPresent(`${proc}/sys/${key}`, value);
  const fd = openSocket(AF_INET, SOCK_DGRAM, 0);
  try {
    const loopback = Buffer.alloc(40);
    loopback.write('lo');
    loopback.writeUInt16LE(IFF_UP, 16);
    systemCall('ioctl', [fd, SIOCSIFFLAGS, loopback], { subject: 'lo up' });
  } finally {
    closeSync(fd);
  }
}

// A kernel booted with ipv6.disable=1 has none of IPv6's, and nothing to keep quiet.
function writeIfPresent(path: string, value: string): void {
  try {
    writeFileSync(path, value);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
