import { closeSync } from 'node:fs';
import { AF_INET, ETHTOOL_GLINK, SIOCETHTOOL, SOCK_DGRAM } from '../ffi/constants.ts';
import { isLibcAvailable, libc } from '../ffi/libc.ts';
import { openSocket, systemCall } from '../ffi/system-calls.ts';
import type { NetworkNamespace } from '../network-namespace.ts';

let request: bigint | undefined;

/**
 * Lets a link whose cable has just been plugged in carry packets from now on. The kernel notices a cable in its own time and
 * drops what is sent before; asked for the state of the link, it looks at once (linkwatch_sync_dev in net/core/link_watch.c).
 */
export function awaitCarrier(netns: NetworkNamespace, link: string): void {
  // Without koffi links are made by ip(8), which takes longer than the kernel does.
  if (!isLibcAvailable()) return;
  request ??= libc().place([ETHTOOL_GLINK, 0]);
  const fd = netns.run(() => openSocket(AF_INET, SOCK_DGRAM, 0, { netns: netns.name }));
  try {
    // struct ifreq: the name, then a pointer to struct ethtool_value.
    const ifreq = Buffer.alloc(40);
    ifreq.write(link);
    ifreq.writeBigUInt64LE(request, 16);
    systemCall('ioctl', [fd, SIOCETHTOOL, ifreq], { subject: `carrier of ${link}`, netns: netns.name });
  } finally {
    closeSync(fd);
  }
}
