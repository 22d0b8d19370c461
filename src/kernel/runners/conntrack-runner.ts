import { closeSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { NetlinkError } from '../../errors/netlink-error.ts';
import { hasCode } from '../../errors/towtank-error.ts';
import type { ConntrackFlow, ConntrackRunner } from '../../netfilter/runner.ts';
import { NETLINK_NETFILTER } from '../conntrack/constants.ts';
import { decodeFlow, encodeDelete, encodeList } from '../conntrack/flow-codec.ts';
import { ENOENT } from '../ffi/constants.ts';
import { MessageWriter } from '../netlink/message-writer.ts';
import { exchange, list, openNetlink } from '../netlink/rtnetlink-socket.ts';
import type { NetworkNamespace } from '../network-namespace.ts';
import { readSysctl } from '../sysctl.ts';

// The receive queue of a netlink socket holds some 250 acknowledgements.
const batchSize = 64;

/**
 * Makes the runner of one node's connection tracking table, which speaks netlink from this process: a table is listed in a
 * fraction of the time that a program takes to start. Its methods reject with NetlinkError (ERR_NETLINK).
 */
export function createConntrackRunner(netns: NetworkNamespace): ConntrackRunner {
  const ids = new WeakMap<ConntrackFlow, Buffer>();
  return {
    async list(family, protocol) {
      const flows: ConntrackFlow[] = [];
      if (isEmpty(netns)) return flows;
      await withNetfilter(netns, async (fd) => {
        const w = new MessageWriter(64);
        encodeList(w, family);
        const parts = list(fd, w.bytes());
        let part = parts.next();
        for (; part.done !== true; part = parts.next()) {
          for (const { body } of part.value) {
            const listed = decodeFlow(body, { family, protocol });
            if (listed === undefined) continue;
            flows.push(listed.flow);
            if (listed.id !== undefined) ids.set(listed.flow, listed.id);
          }
          // A table of a hundred thousand flows must not stop everything else.
          await setImmediate();
        }
        if (part.value !== undefined) throw refused(netns, 'list', part.value);
      });
      return flows;
    },
    async delete(flows) {
      let deleted = 0;
      await withNetfilter(netns, async (fd) => {
        for (let at = 0; at < flows.length; at += batchSize) {
          deleted += deleteBatch({ fd, netns, ids }, flows.slice(at, at + batchSize));
          await setImmediate();
        }
      });
      return deleted;
    },
  };
}

// The kernel has one table for all namespaces, and a listing walks through all of it.
function isEmpty(netns: NetworkNamespace): boolean {
  try {
    return readSysctl(netns, 'net.netfilter.nf_conntrack_count') === '0';
  } catch (error) {
    // A kernel without this parameter is asked for the list.
    if (hasCode(error, 'ERR_SYSCALL')) return false;
    throw error;
  }
}

interface Deletion {
  readonly fd: number;
  readonly netns: NetworkNamespace;
  readonly ids: WeakMap<ConntrackFlow, Buffer>;
}

function deleteBatch({ fd, netns, ids }: Deletion, flows: readonly ConntrackFlow[]): number {
  const w = new MessageWriter();
  for (const [sequence, flow] of flows.entries()) encodeDelete(w, { flow, id: ids.get(flow) }, sequence);
  let deleted = 0;
  for (const acknowledgement of exchange(fd, w.bytes(), flows.length)) {
    if (acknowledgement.errno === 0) deleted += 1;
    else if (acknowledgement.errno !== ENOENT) throw refused(netns, 'delete', acknowledgement);
  }
  return deleted;
}

async function withNetfilter(netns: NetworkNamespace, use: (fd: number) => Promise<void>): Promise<void> {
  const fd = openNetlink(netns, NETLINK_NETFILTER);
  try {
    await use(fd);
  } finally {
    closeSync(fd);
  }
}

function refused(
  netns: NetworkNamespace,
  what: string,
  { errno, explanation }: { readonly errno: number; readonly explanation: string | undefined },
): NetlinkError {
  return new NetlinkError({ operation: `${what} connection tracking entries`, netns: netns.name, errno, explanation });
}
