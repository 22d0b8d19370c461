import type { NetworkNamespace } from '../../kernel/network-namespace.ts';
import { readSysctl, writeSysctl } from '../../kernel/sysctl.ts';
import type { ProxySysctl } from '../../proxy/prepare-kernel.ts';

/** The kernel parameters of a node's network namespace, for its proxy. */
export function nodeSysctl(netns: NetworkNamespace): ProxySysctl {
  return {
    read: (key) => {
      try {
        return readSysctl(netns, key);
      } catch {
        // The kernel lacks it, which is an answer.
        return undefined;
      }
    },
    write: (key, value) => writeSysctl(netns, key, value),
  };
}
