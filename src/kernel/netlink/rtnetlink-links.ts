import { ENODEV } from '../ffi/constants.ts';
import type { NetworkNamespace } from '../network-namespace.ts';
import { encodeOperation } from './encode-operation.ts';
import { LinkIndexes, UnknownLink } from './link-indexes.ts';
import { MessageWriter } from './message-writer.ts';
import { isAbsent, type Refusal, refusalError } from './operation-outcome.ts';
import type { LinkOperation, LinkOperations } from './operations.ts';
import { type Acknowledgement, exchange, withRtnetlink } from './rtnetlink-socket.ts';

// The receive queue of a netlink socket holds some 250 acknowledgements.
const batchSize = 64;

interface Batch {
  readonly fd: number;
  readonly netns: NetworkNamespace;
  readonly indexes: LinkIndexes;
  readonly writer: MessageWriter;
}

/** Carries operations out by rtnetlink from this process: many messages in one send(2), some 5 µs of overhead each. */
export const rtnetlinkLinks: LinkOperations = {
  apply(netns, operations) {
    if (operations.length === 0) return;
    const indexes = LinkIndexes.of(netns);
    withRtnetlink(netns, (fd) => {
      const batch: Batch = { fd, netns, indexes, writer: new MessageWriter() };
      for (let at = 0; at < operations.length; at += batchSize) {
        applyBatch(batch, operations.slice(at, at + batchSize));
      }
    });
  },
};

function applyBatch(batch: Batch, operations: readonly LinkOperation[]): void {
  for (const { sequence, ...refusal } of send(batch, operations)) {
    const operation = operations[sequence];
    if (operation !== undefined && refusal.errno !== 0) settleRefusal(batch, operation, refusal);
  }
}

/** Sends the operations and returns the answers in their order; an operation on a link that is not there is refused here. */
function send({ writer, indexes, fd }: Batch, operations: readonly LinkOperation[]): Acknowledgement[] {
  const refused: Acknowledgement[] = [];
  writer.truncate(0);
  for (const [sequence, operation] of operations.entries()) {
    try {
      encodeOperation(writer, operation, { sequence, indexes });
    } catch (error) {
      if (!(error instanceof UnknownLink)) throw error;
      refused.push({ sequence, errno: ENODEV, explanation: error.message });
    }
  }
  if (refused.length === operations.length) return refused;
  const answers = exchange(fd, writer.bytes(), operations.length - refused.length);
  return [...answers, ...refused].sort((a, b) => a.sequence - b.sequence);
}

function settleRefusal(batch: Batch, operation: LinkOperation, refusal: Refusal): void {
  if ('name' in operation) batch.indexes.forget(operation.name);
  if (isAbsent(operation, refusal.errno)) return;
  if (refusal.errno === ENODEV && 'link' in operation && operation.link !== undefined) {
    retryWithFreshIndex(batch, operation, operation.link);
  } else {
    throw refusalError(batch.netns, operation, refusal);
  }
}

// Somebody else may have deleted a link that we remember and made another of the same name.
function retryWithFreshIndex(batch: Batch, operation: LinkOperation, link: string): void {
  batch.indexes.forget(link);
  const [answer] = send(batch, [operation]);
  if (answer !== undefined && answer.errno !== 0) throw refusalError(batch.netns, operation, answer);
}
