import { readFileSync, writeFileSync } from 'node:fs';
import { SystemCallError } from '../errors/system-call-error.ts';
import type { NetworkNamespace } from './network-namespace.ts';

/**
 * Writes a kernel parameter of one network namespace, such as `net.ipv4.ip_forward`; a name with slashes is taken as a path
 * (`net/ipv4/conf/eth0.1/rp_filter`). Throws ERR_SYSCALL when the kernel lacks it, refuses it or has it read-only.
 */
export function writeSysctl(netns: NetworkNamespace, key: string, value: string | number): void {
  inSysctl(netns, key, (path) => writeFileSync(path, String(value)));
}

/** Reads a kernel parameter of one network namespace, without the line end. */
export function readSysctl(netns: NetworkNamespace, key: string): string {
  return inSysctl(netns, key, (path) => readFileSync(path, 'utf8').trimEnd());
}

function inSysctl<T>(netns: NetworkNamespace, key: string, access: (path: string) => T): T {
  const path = `/proc/sys/${key.includes('/') ? key : key.replaceAll('.', '/')}`;
  return netns.run(() => {
    try {
      return access(path);
    } catch (error) {
      const { errno, syscall } = error as NodeJS.ErrnoException;
      if (errno === undefined) throw error;
      throw new SystemCallError({ syscall: syscall ?? 'open', errno: -errno, subject: path, netns: netns.name });
    }
  });
}
