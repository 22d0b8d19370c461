import { SystemCallError } from '../../errors/system-call-error.ts';
import type { Operation, Transaction } from '../../netfilter/nftables/transaction.ts';
import { TransactionError } from '../../netfilter/nftables/transaction-error.ts';
import type { NftRunner } from '../../netfilter/runner.ts';
import type { NetworkNamespace } from '../network-namespace.ts';
import { type EncodedTransaction, encodeTransaction } from './encode-transaction.ts';
import { LentSocket } from './lent-socket.ts';
import { listRemembered } from './list-remembered.ts';
import { isAcknowledgement, type NftablesSocket, type Refusal, refusalOf } from './nftables-socket.ts';
import { readFingerprint } from './read-fingerprint.ts';
import { readGeneration } from './read-generation.ts';
import { readRuleHandles } from './read-rule-handles.ts';

/** What a runner can do that speaks netlink itself. */
export type NetlinkTransactions = Required<Pick<NftRunner, 'apply' | 'fingerprint' | 'generation' | 'listRemembered'>>;

/**
 * Makes the part of a runner that speaks nf_tables netlink in one namespace. A transaction larger than the socket's send
 * buffer may be, which only happens without privileges outside, goes in several parts and is then not atomic.
 */
export function createNetlinkTransactions(netns: NetworkNamespace): NetlinkTransactions {
  const lent = new LentSocket(netns);
  const ask = async <T>(use: (socket: NftablesSocket) => T): Promise<T> => lent.use(use);
  return {
    apply: (transaction, { check = false } = {}) => ask((socket) => applyTo(socket, transaction, check)),
    fingerprint: (family, table, chains) => ask((socket) => readFingerprint(socket, { family, table, chains })),
    generation: async () => lent.glance(readGeneration),
    listRemembered: (family, table, set) => ask((socket) => listRemembered(socket, { family, table, set })),
  };
}

function applyTo(socket: NftablesSocket, transaction: Transaction, check: boolean): void {
  if (transaction.operations.length === 0) return;
  const { family, table } = transaction;
  const rulesOf = (chain: string) => readRuleHandles(socket, { family, table, chain });
  const encoded = encodeTransaction(transaction, { check, rulesOf });
  try {
    exchange(socket, transaction, encoded);
  } catch (error) {
    if (!isTooLarge(error) || transaction.operations.length === 1) throw error;
    for (const operations of halves(transaction.operations)) applyTo(socket, { ...transaction, operations }, check);
  }
}

function isTooLarge(error: unknown): boolean {
  return error instanceof SystemCallError && error.errno === 'EMSGSIZE';
}

function halves(operations: readonly Operation[]): readonly (readonly Operation[])[] {
  const middle = Math.ceil(operations.length / 2);
  return [operations.slice(0, middle), operations.slice(middle)];
}

function exchange(socket: NftablesSocket, transaction: Transaction, encoded: EncodedTransaction): void {
  const answers = socket.exchange(encoded.bytes).filter(isAcknowledgement);
  const refusals = answers.map(refusalOf).filter((refusal) => refusal !== undefined);
  const [first] = refusals.sort((a, b) => a.sequence - b.sequence);
  if (first !== undefined) throw failure(first, { socket, transaction, encoded });
}

interface Exchange {
  readonly socket: NftablesSocket;
  readonly transaction: Transaction;
  readonly encoded: EncodedTransaction;
}

function failure(
  { sequence, errno, explanation }: Refusal,
  { socket, transaction, encoded }: Exchange,
): TransactionError {
  const index = encoded.operationOf(sequence);
  const operation = index === undefined ? undefined : transaction.operations[index];
  return new TransactionError({ errno, explanation, index, operation, netns: socket.netns.name });
}
