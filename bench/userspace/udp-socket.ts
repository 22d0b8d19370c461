import { NetworkNamespace } from '../../src/kernel/network-namespace.ts';
import { bindUdp } from '../../src/kernel/sockets.ts';
import { SO_RCVBUF, SO_RCVBUFFORCE, SOL_SOCKET } from '../../src/proxy/userspace/engine/constants.ts';
import { loadSystem } from '../../src/proxy/userspace/engine/system.ts';

/** A UDP socket of 127.0.0.1 with room for bursts. */
export function openUdp(port: number): number {
  const system = loadSystem();
  const fd = bindUdp(NetworkNamespace.current(), { host: '127.0.0.1', port });
  const room = new Uint8Array(Int32Array.of(4 << 20).buffer);
  if (system.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, room, 4) < 0) {
    system.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, room, 4);
  }
  return fd;
}
