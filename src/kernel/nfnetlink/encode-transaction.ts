import { type Element, isGenerator, type Lookup, type Rule, type Statement } from '../../netfilter/nftables/rule.ts';
import type { ChainDeclaration, HookName, SetDeclaration } from '../../netfilter/nftables/table.ts';
import { lookupOf } from '../../netfilter/nftables/table-references.ts';
import type { Operation, Transaction } from '../../netfilter/nftables/transaction.ts';
import { AF_UNSPEC } from '../ffi/constants.ts';
import { MessageWriter } from '../netlink/message-writer.ts';
import * as nf from './constants.ts';
import { type SetShape, writeElement } from './encode-elements.ts';
import { anonymousSetOf, type SetReference, writeStatement } from './encode-statement.ts';
import { lengthOf, typeIdOf } from './encode-value.ts';
import { ExpressionWriter } from './expression-writer.ts';
import { familyNumber, writeHeader } from './message-header.ts';
import { setUserData, writeComment } from './user-data.ts';

const hookNumbers: Readonly<Record<HookName, number>> = {
  prerouting: 0,
  input: 1,
  forward: 2,
  output: 3,
  postrouting: 4,
};

// An attribute holds at most 64 KiB: elements beyond go into further messages.
const elementBytesPerMessage = 60_000;

/** The messages of a transaction, and which operation each of them belongs to. */
export interface EncodedTransaction {
  readonly bytes: Buffer;
  /** Index of the operation by sequence number; the batch messages belong to none. */
  readonly operationOf: (sequence: number) => number | undefined;
}

export interface EncodeOptions {
  /** Without the batch's end, so that the kernel only tries it. */
  readonly check?: boolean;
  /** Handles of the rules that a chain has, in their order. */
  readonly rulesOf: (chain: string) => readonly Buffer[];
}

/** Encodes a transaction as one nf_tables batch. Throws ERR_PARSE_RULES. */
export function encodeTransaction(
  transaction: Transaction,
  { check = false, rulesOf }: EncodeOptions,
): EncodedTransaction {
  const encoder = new TransactionEncoder(transaction, rulesOf);
  return encoder.encode(check);
}

class TransactionEncoder {
  readonly #w = new MessageWriter(4096);
  readonly #transaction: Transaction;
  readonly #rulesOf: (chain: string) => readonly Buffer[];
  readonly #operations: (number | undefined)[] = [];
  #operation: number | undefined;
  #nextSetId = 1;

  constructor(transaction: Transaction, rulesOf: (chain: string) => readonly Buffer[]) {
    this.#transaction = transaction;
    this.#rulesOf = rulesOf;
  }

  encode(check: boolean): EncodedTransaction {
    this.#batch(nf.NFNL_MSG_BATCH_BEGIN);
    for (const [index, operation] of this.#transaction.operations.entries()) {
      this.#operation = index;
      this.#encode(operation);
    }
    this.#operation = undefined;
    if (!check) this.#batch(nf.NFNL_MSG_BATCH_END);
    return { bytes: this.#w.bytes(), operationOf: (sequence) => this.#operations[sequence] };
  }

  #encode(operation: Operation): void {
    switch (operation.kind) {
      case 'add-table':
        this.#table(nf.NFT_MSG_NEWTABLE, operation);
        break;
      case 'delete-table':
        this.#table(nf.NFT_MSG_DELTABLE);
        break;
      case 'add-chain':
        this.#addChain(operation.chain);
        break;
      case 'delete-chain':
        this.#named(nf.NFT_MSG_DELCHAIN, nf.NFTA_CHAIN_NAME, operation.chain);
        break;
      case 'flush-chain':
        this.#named(nf.NFT_MSG_DELRULE, nf.NFTA_RULE_CHAIN, operation.chain);
        break;
      case 'add-rule':
        this.#addRule(operation.chain, operation.rule);
        break;
      case 'insert-rules':
        for (const rule of operation.rules.toReversed()) this.#addRule(operation.chain, rule, 0);
        break;
      case 'delete-rules-behind':
        for (const handle of this.#rulesOf(operation.chain).slice(operation.count))
          this.#deleteRule(operation.chain, handle);
        break;
      case 'add-set':
        this.#addSet(operation.set);
        break;
      case 'delete-set':
        this.#named(nf.NFT_MSG_DELSET, nf.NFTA_SET_NAME, operation.set);
        break;
      case 'flush-set':
        this.#named(nf.NFT_MSG_DELSETELEM, nf.NFTA_SET_ELEM_LIST_SET, operation.set.name);
        break;
      case 'add-elements':
        this.#elements(nf.NFT_MSG_NEWSETELEM, operation);
        break;
      case 'delete-elements':
        this.#elements(nf.NFT_MSG_DELSETELEM, operation);
        break;
    }
  }

  #batch(type: number): void {
    const sequence = this.#operations.push(undefined) - 1;
    this.#w.begin(type, nf.NLM_F_REQUEST, sequence);
    writeHeader(this.#w, AF_UNSPEC, nf.NFNL_SUBSYS_NFTABLES);
    this.#w.end();
  }

  // The first attribute of every message is the table.
  #begin(type: number, flags = 0): void {
    const sequence = this.#operations.push(this.#operation) - 1;
    this.#w.begin(type, nf.NLM_F_REQUEST | flags, sequence);
    writeHeader(this.#w, familyNumber(this.#transaction.family));
    this.#w.attributeString(1, this.#transaction.table);
  }

  #table(
    type: number,
    { comment, isOwned = false }: { readonly comment?: string | undefined; readonly isOwned?: boolean } = {},
  ): void {
    this.#begin(type, type === nf.NFT_MSG_NEWTABLE ? nf.NLM_F_CREATE : 0);
    if (type === nf.NFT_MSG_NEWTABLE) {
      this.#w.attributeU32Network(nf.NFTA_TABLE_FLAGS, isOwned ? nf.NFT_TABLE_F_OWNER : 0);
      writeComment(this.#w, nf.NFTA_TABLE_USERDATA, comment);
    }
    this.#w.end();
  }

  #named(type: number, attribute: number, name: string): void {
    this.#begin(type);
    this.#w.attributeString(attribute, name);
    this.#w.end();
  }

  #addChain({ name, hook, comment }: ChainDeclaration): void {
    const w = this.#w;
    this.#begin(nf.NFT_MSG_NEWCHAIN, nf.NLM_F_CREATE);
    w.attributeString(nf.NFTA_CHAIN_NAME, name);
    if (hook !== undefined) {
      w.attributeString(nf.NFTA_CHAIN_TYPE, hook.type);
      w.nest(nf.NLA_F_NESTED | nf.NFTA_CHAIN_HOOK, () => {
        w.attributeU32Network(nf.NFTA_HOOK_HOOKNUM, hookNumbers[hook.hook]);
        w.attributeU32Network(nf.NFTA_HOOK_PRIORITY, hook.priority);
      });
      w.attributeU32Network(nf.NFTA_CHAIN_POLICY, hook.policy === 'accept' ? 1 : 0);
    }
    writeComment(w, nf.NFTA_CHAIN_USERDATA, comment);
    w.end();
  }

  #addSet(set: SetDeclaration): void {
    const flags =
      (set.flags.includes('interval') ? nf.NFT_SET_INTERVAL : 0) |
      (set.flags.includes('timeout') ? nf.NFT_SET_TIMEOUT : 0) |
      (set.flags.includes('dynamic') ? nf.NFT_SET_EVAL : 0);
    this.#beginSet(set.name, set, flags);
    if (set.timeoutSeconds !== undefined) this.#w.attribute(nf.NFTA_SET_TIMEOUT, milliseconds(set.timeoutSeconds));
    this.#w.attribute(nf.NFTA_SET_USERDATA, setUserData(set));
    this.#w.end();
  }

  #beginSet(name: string, { key, data }: SetShape, flags: number): number {
    const w = this.#w;
    const id = this.#nextSetId++;
    this.#begin(nf.NFT_MSG_NEWSET, nf.NLM_F_CREATE);
    w.attributeString(nf.NFTA_SET_NAME, name);
    w.attributeU32Network(nf.NFTA_SET_FLAGS, flags | (data === undefined ? 0 : nf.NFT_SET_MAP));
    w.attributeU32Network(nf.NFTA_SET_KEY_TYPE, typeIdOf(key));
    w.attributeU32Network(nf.NFTA_SET_KEY_LEN, lengthOf(key));
    if (data === 'verdict') {
      w.attributeU32Network(nf.NFTA_SET_DATA_TYPE, nf.NFT_DATA_VERDICT);
      w.attributeU32Network(nf.NFTA_SET_DATA_LEN, 0);
    } else if (data !== undefined) {
      w.attributeU32Network(nf.NFTA_SET_DATA_TYPE, typeIdOf(data));
      w.attributeU32Network(nf.NFTA_SET_DATA_LEN, lengthOf(data));
    }
    w.attributeU32Network(nf.NFTA_SET_ID, id);
    return id;
  }

  #addAnonymousSet(lookup: Extract<Lookup, { readonly elements: unknown }>, shape: SetShape): SetReference {
    const isInterval = shape.flags.includes('interval');
    const name = shape.data === undefined ? '__set%d' : '__map%d';
    const flags = nf.NFT_SET_ANONYMOUS | nf.NFT_SET_CONSTANT | (isInterval ? nf.NFT_SET_INTERVAL : 0);
    const id = this.#beginSet(name, shape, flags);
    const size = lookup.elements.length * (isInterval ? 2 : 1);
    this.#w.nest(nf.NLA_F_NESTED | nf.NFTA_SET_DESC, () => this.#w.attributeU32Network(nf.NFTA_SET_DESC_SIZE, size));
    this.#w.attribute(nf.NFTA_SET_USERDATA, anonymousUserData({ name, ...shape }));
    this.#w.end();
    this.#elements(nf.NFT_MSG_NEWSETELEM, { set: { name, ...shape }, elements: lookup.elements }, id);
    return { name, id, isInterval };
  }

  #elements(
    type: number,
    { set, elements }: { readonly set: SetDeclaration; readonly elements: readonly Element[] },
    id?: number,
  ): void {
    const w = this.#w;
    const hasValues = type === nf.NFT_MSG_NEWSETELEM;
    const shape = hasValues ? set : { key: set.key, flags: set.flags };
    for (let next = 0; next < elements.length; ) {
      this.#begin(type, hasValues ? nf.NLM_F_CREATE : 0);
      w.attributeString(nf.NFTA_SET_ELEM_LIST_SET, set.name);
      if (id !== undefined) w.attributeU32Network(nf.NFTA_SET_ELEM_LIST_SET_ID, id);
      const list = w.openNest(nf.NLA_F_NESTED | nf.NFTA_SET_ELEM_LIST_ELEMENTS);
      const start = w.length;
      for (; next < elements.length && w.length - start < elementBytesPerMessage; next++) {
        writeElement(w, elements[next]!, shape);
      }
      w.closeNest(list);
      w.end();
    }
  }

  #deleteRule(chain: string, handle: Buffer): void {
    this.#begin(nf.NFT_MSG_DELRULE);
    this.#w.attributeString(nf.NFTA_RULE_CHAIN, chain);
    this.#w.attribute(nf.NFTA_RULE_HANDLE, handle);
    this.#w.end();
  }

  #addRule(chain: string, rule: Rule, place: number = nf.NLM_F_APPEND): void {
    const sets = rule.statements.map((statement) => this.#setOf(statement));
    const w = this.#w;
    this.#begin(nf.NFT_MSG_NEWRULE, nf.NLM_F_CREATE | place);
    w.attributeString(nf.NFTA_RULE_CHAIN, chain);
    const expressions = w.openNest(nf.NLA_F_NESTED | nf.NFTA_RULE_EXPRESSIONS);
    const e = new ExpressionWriter(w);
    for (const [index, statement] of rule.statements.entries()) {
      writeStatement(e, statement, { family: this.#transaction.family, set: sets[index] });
    }
    w.closeNest(expressions);
    writeComment(w, nf.NFTA_RULE_USERDATA, rule.comment);
    w.end();
  }

  // Named maps that number generators ask hold intervals: that is what they are for.
  #setOf(statement: Statement): SetReference | undefined {
    const anonymous = anonymousSetOf(statement);
    if (anonymous !== undefined) return this.#addAnonymousSet(anonymous.lookup, anonymous.shape);
    const lookup = lookupOf(statement);
    if (lookup === undefined || !('name' in lookup)) return undefined;
    return { name: lookup.name, id: undefined, isInterval: 'key' in statement && isGenerator(statement.key) };
  }
}

// Anonymous sets have no comment: there are as many user data as there are types.
const userDataByType = new Map<string, Buffer>();

function anonymousUserData(set: SetDeclaration): Buffer {
  const type = `${set.key} ${set.data ?? ''}`;
  const data = userDataByType.get(type) ?? setUserData(set);
  userDataByType.set(type, data);
  return data;
}

function milliseconds(seconds: number): Buffer {
  const out = Buffer.alloc(8);
  out.writeBigUInt64BE(BigInt(Math.round(seconds * 1000)));
  return out;
}
