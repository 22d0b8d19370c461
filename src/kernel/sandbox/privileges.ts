import { readFileSync } from 'node:fs';
import type { Privileges } from './launch-command.ts';

const capabilities = {
  ...{ SETGID: 6n, SETUID: 7n, SETPCAP: 8n },
  ...{ NET_BIND_SERVICE: 10n, NET_ADMIN: 12n, NET_RAW: 13n, SYS_ADMIN: 21n },
} as const;

/** Whether a capability is in effect, by the text of /proc/PID/status; this process's when it is left away. */
export function hasCapability(
  name: keyof typeof capabilities,
  status = readFileSync('/proc/self/status', 'latin1'),
): boolean {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return ((effective >> capabilities[name]) & 1n) === 1n;
}

/** Reads what this process may do. */
export function readPrivileges(status = readFileSync('/proc/self/status', 'utf8')): Privileges {
  return { administrator: hasCapability('SYS_ADMIN', status) && hasCapability('NET_ADMIN', status) };
}

/** Whether this process may change the links, addresses and rules of the network namespace that it is in. */
export function mayChangeNetwork(status = readFileSync('/proc/self/status', 'utf8')): boolean {
  return hasCapability('NET_ADMIN', status);
}
