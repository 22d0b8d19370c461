// A thread of its own for what waits in the kernel: namespaces, links and the programs that write rules. Started by
// kernel-thread-handle.ts; answers its messages in their order.
import { closeSync, openSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { LinkIndexes } from '../netlink/link-indexes.ts';
import { NetworkNamespace } from '../network-namespace.ts';
import type { ProgramResult } from '../programs/run-program.ts';
import { runToEnd } from '../programs/run-to-end.ts';
import { wirePod } from '../topology/wire-pod.ts';
import type { AttachTask, KernelTask, KernelThreadMessage, MadeNamespace, RunTask, TaskAnswer } from './messages.ts';

// Indexes that the main thread does not choose for links of the same nodes.
const FIRST_INDEX = 1_000_000;
let nextIndex = FIRST_INDEX;

const port = parentPort;
if (port === null) throw new Error('kernel-thread.ts is started by kernel-thread-handle.ts, as a worker');
port.on('message', (message: KernelThreadMessage) => {
  if (message.kind !== 'end') return port.postMessage(answer(message));
  NetworkNamespace.endThread();
  port.close();
});

function answer(task: KernelTask): TaskAnswer {
  try {
    return { result: task.kind === 'attach' ? attach(task) : run(task) };
  } catch {
    // Whoever asked does it himself then, and meets the error where it can be told with all that belongs to it.
    return { result: undefined };
  }
}

function attach({ node, nodePath, attachment, hostLink, pod }: AttachTask): MadeNamespace {
  return within(node.name, nodePath, (netns) => {
    LinkIndexes.of(netns).startAt(nextIndex++);
    const { fd, path } = wirePod({ node, netns, attachment, hostLink, pod });
    return { fd, path };
  });
}

function run({ netnsName, netnsPath, ...spec }: RunTask): ProgramResult {
  return within(netnsName, netnsPath, (netns) => netns.run(() => runToEnd(spec)));
}

// The path of a namespace that was deleted meanwhile leads nowhere; its descriptor might be another file's by now.
function within<T>(name: string, path: string, use: (netns: NetworkNamespace) => T): T {
  const fd = openSync(path, 'r');
  try {
    return use(NetworkNamespace.adopt(name, { fd, path }));
  } finally {
    closeSync(fd);
  }
}
