import { createRequire } from 'node:module';

/** Memory for C: a buffer, or an address of memory that stays. */
export type Memory = Uint8Array | bigint;

/** The C functions of the engine. Each returns -1 on failure, and `errno` tells why. */
export interface System {
  epoll_create1(flags: number): number;
  epoll_ctl(epoll: number, operation: number, fd: number, event: Memory | null): number;
  epoll_wait(epoll: number, events: Memory, count: number, timeoutMs: number): number;
  eventfd(count: number, flags: number): number;
  read(fd: number, data: Memory, length: number): number;
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Memory, length: number): number;
  connect(fd: number, address: Memory, length: number): number;
  accept4(fd: number, address: Memory, length: Memory, flags: number): number;
  recv(fd: number, data: Memory, length: number, flags: number): number;
  send(fd: number, data: Memory, length: number, flags: number): number;
  recvmmsg(fd: number, messages: Memory, count: number, flags: number, timeout: null): number;
  sendmmsg(fd: number, messages: Memory, count: number, flags: number): number;
  splice(from: number, fromOffset: null, to: number, toOffset: null, length: number, flags: number): number;
  pipe2(descriptors: Memory, flags: number): number;
  fcntl(fd: number, command: number, argument: number): number;
  shutdown(fd: number, how: number): number;
  close(fd: number): number;
  setsockopt(fd: number, level: number, option: number, value: Memory, length: number): number;
  getsockopt(fd: number, level: number, option: number, value: Memory, length: Memory): number;
  setns(fd: number, type: number): number;
  errno(): number;
  /** Memory that is never freed: its address, and the bytes as JavaScript sees them. */
  allocate(bytes: number): { readonly address: bigint; readonly buffer: ArrayBuffer };
}

const declarations = [
  'int epoll_create1(int flags)',
  'int epoll_ctl(int epoll, int operation, int fd, void *event)',
  'int epoll_wait(int epoll, void *events, int count, int timeout)',
  'int eventfd(unsigned int count, int flags)',
  'long read(int fd, void *data, size_t length)',
  'int socket(int domain, int type, int protocol)',
  'int bind(int fd, const void *address, uint32_t length)',
  'int connect(int fd, const void *address, uint32_t length)',
  'int accept4(int fd, void *address, void *length, int flags)',
  'long recv(int fd, void *data, size_t length, int flags)',
  'long send(int fd, const void *data, size_t length, int flags)',
  'int recvmmsg(int fd, void *messages, unsigned int count, int flags, void *timeout)',
  'int sendmmsg(int fd, void *messages, unsigned int count, int flags)',
  'long splice(int from, void *fromOffset, int to, void *toOffset, size_t length, unsigned int flags)',
  'int pipe2(void *descriptors, int flags)',
  // Variadic in C: an int is passed alike by the ABIs of 64-bit Linux.
  'int fcntl(int fd, int command, long argument)',
  'int shutdown(int fd, int how)',
  'int close(int fd)',
  'int setsockopt(int fd, int level, int option, const void *value, uint32_t length)',
  'int getsockopt(int fd, int level, int option, void *value, void *length)',
  'int setns(int fd, int type)',
] as const;

/** Loads the C library of this process. Throws what koffi throws where it does not run. */
export function loadSystem(): System {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const library = koffi.load(null);
  const functions: Record<string, unknown> = {
    errno: () => koffi.errno(),
    allocate: (bytes: number) => {
      const address = koffi.alloc('uint8_t', bytes) as bigint;
      return { address, buffer: koffi.view(address, bytes) };
    },
  };
  for (const declaration of declarations) {
    const name = /(\w+)\(/.exec(declaration)?.[1];
    if (name !== undefined) functions[name] = library.func(declaration);
  }
  return functions as unknown as System;
}
