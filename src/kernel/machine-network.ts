import { existsSync } from 'node:fs';

/** Whether the network namespace of this process is the machine's first one, which must be left alone. */
export function isMachineNetwork(): boolean {
  // These limits are the whole machine's and exist nowhere else.
  return existsSync('/proc/sys/net/ipv4/neigh/default/gc_thresh3');
}
