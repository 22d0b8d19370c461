import { createRequire } from 'node:module';
import { TowtankError } from '../../errors/towtank-error.ts';

/** The C functions that towtank calls. Buffers are passed by address; each returns -1 and sets errno on failure. */
export interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  connect(fd: number, address: Uint8Array, length: number): number;
  fcntl(fd: number, command: number, argument: number): number;
  flock(fd: number, operation: number): number;
  listen(fd: number, backlog: number): number;
  shutdown(fd: number, how: number): number;
  getsockname(fd: number, address: Uint8Array, length: Uint8Array): number;
  setsockopt(fd: number, level: number, option: number, value: Uint8Array, length: number): number;
  getsockopt(fd: number, level: number, option: number, value: Uint8Array, length: Uint8Array): number;
  send(fd: number, data: Uint8Array, length: number, flags: number): number;
  sendmsg(fd: number, message: Uint8Array, flags: number): number;
  recvmsg(fd: number, message: Uint8Array, flags: number): number;
  sendto(
    fd: number,
    data: Uint8Array,
    length: number,
    flags: number,
    address: Uint8Array,
    addressLength: number,
  ): number;
  recv(fd: number, data: Uint8Array, length: number, flags: number): number;
  setns(fd: number, type: number): number;
  unshare(flags: number): number;
  mount(source: string, target: string, type: string | null, flags: number, data: string | null): number;
  umount2(target: string, flags: number): number;
  ioctl(fd: number, request: number, argument: Uint8Array): number;
  fchdir(fd: number): number;
  chdir(path: string): number;
  chroot(path: string): number;
  pipe2(descriptors: Uint8Array, flags: number): number;
  pivot_root(newRoot: string, putOld: string): number;
  sethostname(name: string, length: number): number;
  memfd_create(name: string, flags: number): number;
  waitpid(pid: number, status: Uint8Array, options: number): number;
  posix_spawn_file_actions_init(actions: Uint8Array): number;
  posix_spawn_file_actions_adddup2(actions: Uint8Array, fd: number, target: number): number;
  posix_spawn_file_actions_destroy(actions: Uint8Array): number;
  posix_spawnattr_init(attributes: Uint8Array): number;
  posix_spawnattr_setflags(attributes: Uint8Array, flags: number): number;
  posix_spawnattr_setsigdefault(attributes: Uint8Array, signals: Uint8Array): number;
  posix_spawnattr_setsigmask(attributes: Uint8Array, signals: Uint8Array): number;
  posix_spawnattr_destroy(attributes: Uint8Array): number;
  /** Returns an errno instead of setting it. Argument and environment lists end with null. */
  posix_spawn(
    pid: Uint8Array,
    path: string,
    actions: Uint8Array,
    attributes: Uint8Array,
    argv: readonly (string | null)[],
    envp: readonly (string | null)[],
  ): number;
  errno(): number;
  /**
   * Calls a function beside this thread, for what takes the kernel long, and resolves with what it returns; its errno is lost.
   * The caller keeps the memory referenced until then.
   */
  aside<C extends Aside>(name: C, ...args: Parameters<Libc[C]>): Promise<number>;
  /** The address of a buffer's memory, for structures that hold pointers; valid as long as the buffer is referenced. */
  address(memory: Uint8Array): bigint;
  /** Puts 32-bit numbers at an address that stays valid for ever, for structures that hold pointers. */
  place(numbers: readonly number[]): bigint;
  /** Memory that is never freed: its address, and the bytes as JavaScript sees them. */
  allocate(bytes: number): { readonly address: bigint; readonly buffer: ArrayBuffer };
}

type Aside = 'getsockopt' | 'setsockopt';

const declarations = [
  'int socket(int domain, int type, int protocol)',
  'int bind(int fd, const void *address, uint32_t length)',
  'int connect(int fd, const void *address, uint32_t length)',
  // Variadic in C, as ioctl.
  'int fcntl(int fd, int command, long argument)',
  'int flock(int fd, int operation)',
  'int listen(int fd, int backlog)',
  'int shutdown(int fd, int how)',
  'int getsockname(int fd, void *address, void *length)',
  'int setsockopt(int fd, int level, int option, const void *value, uint32_t length)',
  'int getsockopt(int fd, int level, int option, void *value, void *length)',
  'long sendmsg(int fd, const void *message, int flags)',
  'long recvmsg(int fd, void *message, int flags)',
  'long send(int fd, const void *data, size_t length, int flags)',
  'long sendto(int fd, const void *data, size_t length, int flags, const void *address, uint32_t addressLength)',
  'long recv(int fd, void *data, size_t length, int flags)',
  'int setns(int fd, int type)',
  'int unshare(int flags)',
  'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
  'int umount2(const char *target, int flags)',
  // Variadic in C: one pointer is passed alike by the ABIs of 64-bit Linux.
  'int ioctl(int fd, unsigned long request, void *argument)',
  'int fchdir(int fd)',
  'int chdir(const char *path)',
  'int chroot(const char *path)',
  'int pipe2(void *descriptors, int flags)',
  'int pivot_root(const char *newRoot, const char *putOld)',
  'int sethostname(const char *name, size_t length)',
  'int memfd_create(const char *name, unsigned int flags)',
  'int waitpid(int pid, void *status, int options)',
  'int posix_spawn_file_actions_init(void *actions)',
  'int posix_spawn_file_actions_adddup2(void *actions, int fd, int target)',
  'int posix_spawn_file_actions_destroy(void *actions)',
  'int posix_spawnattr_init(void *attributes)',
  'int posix_spawnattr_setflags(void *attributes, short flags)',
  'int posix_spawnattr_setsigdefault(void *attributes, const void *signals)',
  'int posix_spawnattr_setsigmask(void *attributes, const void *signals)',
  'int posix_spawnattr_destroy(void *attributes)',
  'int posix_spawn(void *pid, const char *path, const void *actions, const void *attributes, const char **argv, const char **envp)',
] as const;

let loaded: Libc | undefined;
let failure: unknown;

/** The C library of this process, loaded on the first call. Throws ERR_MISSING_KERNEL_FEATURE where koffi does not load. */
export function libc(): Libc {
  if (loaded !== undefined) return loaded;
  try {
    loaded = load();
  } catch (cause) {
    failure = cause;
    throw new TowtankError({
      code: 'ERR_MISSING_KERNEL_FEATURE',
      message: `koffi, which calls the C library, does not load on ${process.platform}-${process.arch}`,
      hint: 'install with optional npm packages (npm ci without --omit=optional); prebuilt for x64 and arm64, glibc and musl',
      cause,
    });
  }
  return loaded;
}

/** Whether `libc` can be used here; loads it as a side effect. */
export function isLibcAvailable(): boolean {
  if (loaded !== undefined) return true;
  if (failure !== undefined) return false;
  try {
    libc();
    return true;
  } catch {
    return false;
  }
}

// `load(null)` opens the running program itself, which has the C library in it: no file name to guess, glibc and musl alike.
function load(): Libc {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const library = koffi.load(null);
  const place = (numbers: readonly number[]): bigint => {
    const memory = koffi.alloc('uint32_t', numbers.length);
    koffi.encode(memory, koffi.array('uint32_t', numbers.length), numbers);
    return BigInt(koffi.address(memory));
  };
  const allocate = (bytes: number) => {
    const address = koffi.alloc('uint8_t', bytes) as bigint;
    return { address, buffer: koffi.view(address, bytes) };
  };
  const address = (memory: Uint8Array): bigint => koffi.address(memory);
  const aside = (name: Aside, ...args: readonly unknown[]): Promise<unknown> => {
    const { async: call } = functions[name] as { readonly async: (...args: readonly unknown[]) => void };
    return new Promise((resolve, reject) => {
      call(...args, (error: unknown, result: unknown) => (error ? reject(error) : resolve(result)));
    });
  };
  const functions: Record<string, unknown> = { errno: () => koffi.errno(), place, allocate, address, aside };
  for (const declaration of declarations) {
    const name = /(\w+)\(/.exec(declaration)?.[1];
    if (name !== undefined) functions[name] = library.func(declaration);
  }
  return functions as unknown as Libc;
}
