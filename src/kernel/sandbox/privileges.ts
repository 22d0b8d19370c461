import { readFileSync } from 'node:fs';
import type { Privileges } from './launch-command.ts';

const CAP_NET_ADMIN = 12n;
const CAP_SYS_ADMIN = 21n;

/** Reads what this process may do. */
export function readPrivileges(status = readFileSync('/proc/self/status', 'utf8')): Privileges {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  const has = (capability: bigint) => ((effective >> capability) & 1n) === 1n;
  return { administrator: has(CAP_SYS_ADMIN) && has(CAP_NET_ADMIN) };
}
