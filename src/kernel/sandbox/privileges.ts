import { readFileSync } from 'node:fs';
import type { Privileges } from './launch-command.ts';

const CAP_NET_ADMIN = 12n;
const CAP_SYS_ADMIN = 21n;

/** Reads what this process may do. */
export function readPrivileges(status = readFileSync('/proc/self/status', 'utf8')): Privileges {
  return { administrator: has(status, CAP_SYS_ADMIN) && has(status, CAP_NET_ADMIN) };
}

/** Whether this process may change the links, addresses and rules of the network namespace that it is in. */
export function mayChangeNetwork(status = readFileSync('/proc/self/status', 'utf8')): boolean {
  return has(status, CAP_NET_ADMIN);
}

function has(status: string, capability: bigint): boolean {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return ((effective >> capability) & 1n) === 1n;
}
