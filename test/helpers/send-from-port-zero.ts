import { closeSync } from 'node:fs';
import { AF_INET, IPPROTO_UDP, SOCK_RAW } from '../../src/kernel/ffi/constants.ts';
import { internetAddress } from '../../src/kernel/ffi/socket-address.ts';
import { openSocket, systemCall } from '../../src/kernel/ffi/system-calls.ts';
import type { NetworkNamespace } from '../../src/kernel/network-namespace.ts';

const HEADER = 8;

/** Sends a datagram from port 0, which only raw packets can come from, over IPv4. */
export function sendFromPortZero(
  netns: NetworkNamespace,
  to: { readonly host: string; readonly port: number },
  payload: Uint8Array | string,
): void {
  const bytes = Buffer.from(payload);
  const datagram = Buffer.alloc(HEADER + bytes.length);
  datagram.writeUInt16BE(to.port, 2);
  datagram.writeUInt16BE(datagram.length, 4);
  datagram.set(bytes, HEADER);
  const address = internetAddress(to.host, 0);
  const fd = netns.run(() => openSocket(AF_INET, SOCK_RAW, IPPROTO_UDP));
  try {
    systemCall('sendto', [fd, datagram, datagram.length, 0, address, address.length]);
  } finally {
    closeSync(fd);
  }
}
