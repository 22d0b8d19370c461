import { closeSync, readFileSync } from 'node:fs';
import { SystemCallError } from '../../errors/system-call-error.ts';
import { AF_INET, SOCK_STREAM } from '../ffi/constants.ts';
import { internetAddress } from '../ffi/socket-address.ts';
import { openSocket, systemCall } from '../ffi/system-calls.ts';

// Of the machine's own block, where no cluster is.
const SCRATCH = '127.0.255.254';

/** The first port that this process may listen on: 1024 where nothing else was allowed, 0 in most containers. Throws ERR_SYSCALL. */
export function firstPort(): number {
  const first = unprivilegedPortStart();
  return first <= 1 || mayBind(first - 1) ? 0 : first;
}

function unprivilegedPortStart(): number {
  try {
    return Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'latin1'));
  } catch (error) {
    // Kernels before 4.11 have no such setting.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 1024;
    throw error;
  }
}

// A capability counts for the network namespaces that belong to its user namespace only: it is tried.
function mayBind(port: number): boolean {
  const fd = openSocket(AF_INET, SOCK_STREAM, 0);
  const address = internetAddress(SCRATCH, port);
  try {
    systemCall('bind', [fd, address, address.length], { subject: `port ${port}` });
    return true;
  } catch (error) {
    if (!(error instanceof SystemCallError)) throw error;
    if (error.errno === 'EADDRINUSE') return true;
    if (error.errno === 'EACCES') return false;
    throw error;
  } finally {
    closeSync(fd);
  }
}
