import { readFileSync } from 'node:fs';
import type { NetworkNamespace } from './network-namespace.ts';

/**
 * Whether a namespace has tables of iptables-legacy. Asked of the kernel and not of the program, which makes the tables that
 * it is asked about.
 */
export function hasLegacyTables(netns: NetworkNamespace): boolean {
  return netns.run(() => ['ip_tables_names', 'ip6_tables_names'].some((file) => read(file).trim() !== ''));
}

function read(file: string): string {
  try {
    return readFileSync(`/proc/thread-self/net/${file}`, 'utf8');
  } catch (error) {
    // Kernels without iptables-legacy, or whose module is not loaded, have no such file.
    if (['ENOENT', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw error;
  }
}
