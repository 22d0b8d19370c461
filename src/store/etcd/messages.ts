// The messages of etcd's API that are needed, by the field numbers of etcdserverpb/rpc.proto and mvccpb/kv.proto.
import type { WriteOperation } from '../store.ts';
import { ProtobufReader } from './protobuf-reader.ts';
import { ProtobufWriter } from './protobuf-writer.ts';

/** One key as etcd tells it. */
export interface EtcdKeyValue {
  readonly key: string;
  readonly value: Buffer;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly lease: string | undefined;
}

export interface Header {
  /** Rounded to 53 bits, since it is only compared. */
  readonly clusterId: number;
  readonly revision: number;
}

/** A range of keys: from `key` up to but without `end`; all keys from `key` on when `end` is a zero byte. */
export interface KeyRange {
  readonly key: Buffer;
  readonly end: Buffer;
}

export interface RangeRequest extends KeyRange {
  readonly limit?: number;
  readonly revision?: number;
  readonly minModRevision?: number;
  readonly keysOnly?: boolean;
}

export interface RangeResponse {
  readonly header: Header;
  readonly items: readonly EtcdKeyValue[];
  readonly more: boolean;
  /** All keys of the range, whatever the limit. */
  readonly count: number;
}

export interface TransactionResponse {
  readonly header: Header;
  readonly succeeded: boolean;
  /** What was found for each response that is a range, and how many keys each deletion deleted. */
  readonly results: readonly { readonly item: EtcdKeyValue | undefined; readonly deleted: number }[];
}

export interface EtcdEvent {
  readonly deleted: boolean;
  readonly item: EtcdKeyValue;
}

export interface WatchResponse {
  readonly header: Header;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compactRevision: number;
  readonly cancelReason: string;
  readonly events: readonly EtcdEvent[];
}

export interface LeaseResponse {
  readonly id: string;
  /** Seconds; 0 or less for a lease that is not there. */
  readonly ttl: number;
  readonly grantedTtl: number;
}

const ZERO = Buffer.of(0);
const COMPARE_MOD_REVISION = 2;

/** All keys that start with `prefix`. */
export function rangeOf(prefix: string): KeyRange {
  const key = Buffer.from(prefix);
  const end = Buffer.from(key);
  for (let at = end.length - 1; at >= 0; at--) {
    if (end[at] === 0xff) continue;
    end[at] = end[at]! + 1;
    return { key, end: end.subarray(0, at + 1) };
  }
  return { key: prefix === '' ? ZERO : key, end: ZERO };
}

/** All keys of a store: under its prefix and a slash, with which every key begins; all there are when it has none. */
export function keysUnder(prefix: string): KeyRange {
  return rangeOf(prefix === '' ? '' : `${prefix}/`);
}

export function encodeRange(request: RangeRequest): Buffer {
  return new ProtobufWriter()
    .bytes(1, request.key)
    .bytes(2, request.end)
    .int(3, request.limit ?? 0)
    .int(4, request.revision ?? 0)
    .bool(8, request.keysOnly ?? false)
    .int(10, request.minModRevision ?? 0)
    .finish();
}

/** All operations if all expectations hold; else the state of the keys that had one, in their order. */
export function encodeTransaction(operations: readonly WriteOperation[], prefix: string): Buffer {
  const writer = new ProtobufWriter();
  for (const { key, expect } of operations)
    if (expect !== undefined) writer.message(1, compareModRevision(prefix + key, expect));
  for (const operation of operations) writer.message(2, writeOperation(operation, prefix));
  for (const { key, expect } of operations) {
    if (expect === undefined) continue;
    writer.message(3, new ProtobufWriter().message(1, new ProtobufWriter().string(1, prefix + key).finish()).finish());
  }
  return writer.finish();
}

function compareModRevision(key: string, revision: number): Buffer {
  return new ProtobufWriter().int(2, COMPARE_MOD_REVISION).string(3, key).oneofInt(6, revision).finish();
}

function writeOperation({ key, value, lease }: WriteOperation, prefix: string): Buffer {
  const writer = new ProtobufWriter().string(1, prefix + key);
  if (value === undefined) return new ProtobufWriter().message(3, writer.finish()).finish();
  writer.bytes(2, value);
  if (lease !== undefined) writer.int64(3, lease);
  return new ProtobufWriter().message(2, writer.finish()).finish();
}

/** Deletes all keys of the range, in a transaction of its own. */
export function encodeDeleteRange({ key, end }: KeyRange): Buffer {
  return new ProtobufWriter().bytes(1, key).bytes(2, end).finish();
}

export function encodeCompaction(revision: number): Buffer {
  return new ProtobufWriter().int(1, revision).finish();
}

export function encodeWatch({ key, end }: KeyRange, startRevision: number): Buffer {
  const create = new ProtobufWriter().bytes(1, key).bytes(2, end).int(3, startRevision).bool(4, true);
  return new ProtobufWriter().message(1, create.finish()).finish();
}

export function encodeLeaseGrant(ttlSeconds: number, id = '0'): Buffer {
  return new ProtobufWriter().int(1, ttlSeconds).int64(2, id).finish();
}

/** The request of LeaseRevoke, LeaseKeepAlive and LeaseTimeToLive. */
export function encodeLeaseId(id: string): Buffer {
  return new ProtobufWriter().int64(1, id).finish();
}

export function encodeAuthenticate(name: string, password: string): Buffer {
  return new ProtobufWriter().string(1, name).string(2, password).finish();
}

export function decodeRange(bytes: Buffer): RangeResponse {
  const reader = new ProtobufReader(bytes);
  const items: EtcdKeyValue[] = [];
  let [header, more, count] = [NO_HEADER, false, 0];
  while (reader.next()) {
    if (reader.field === 1) header = decodeHeader(reader.bytes());
    else if (reader.field === 2) items.push(decodeKeyValue(reader.bytes()));
    else if (reader.field === 3) more = reader.bool();
    else if (reader.field === 4) count = reader.int();
  }
  return { header, items, more, count };
}

export function decodeTransaction(bytes: Buffer): TransactionResponse {
  const reader = new ProtobufReader(bytes);
  const results: { item: EtcdKeyValue | undefined; deleted: number }[] = [];
  let [header, succeeded] = [NO_HEADER, false];
  while (reader.next()) {
    if (reader.field === 1) header = decodeHeader(reader.bytes());
    else if (reader.field === 2) succeeded = reader.bool();
    else if (reader.field === 3) results.push(decodeResult(reader.bytes()));
  }
  return { header, succeeded, results };
}

function decodeResult(bytes: Buffer): { item: EtcdKeyValue | undefined; deleted: number } {
  const reader = new ProtobufReader(bytes);
  let [item, deleted]: [EtcdKeyValue | undefined, number] = [undefined, 0];
  while (reader.next()) {
    if (reader.field === 1) item = decodeRange(reader.bytes()).items[0];
    else if (reader.field === 3) deleted = decodeNumber(reader.bytes(), 2);
  }
  return { item, deleted };
}

export function decodeWatch(bytes: Buffer): WatchResponse {
  const reader = new ProtobufReader(bytes);
  const events: EtcdEvent[] = [];
  const response = { header: NO_HEADER, created: false, canceled: false, compactRevision: 0, cancelReason: '' };
  while (reader.next()) {
    if (reader.field === 1) response.header = decodeHeader(reader.bytes());
    else if (reader.field === 3) response.created = reader.bool();
    else if (reader.field === 4) response.canceled = reader.bool();
    else if (reader.field === 5) response.compactRevision = reader.int();
    else if (reader.field === 6) response.cancelReason = reader.string();
    else if (reader.field === 11) events.push(decodeEvent(reader.bytes()));
  }
  return { ...response, events };
}

function decodeEvent(bytes: Buffer): EtcdEvent {
  const reader = new ProtobufReader(bytes);
  let [deleted, item]: [boolean, EtcdKeyValue | undefined] = [false, undefined];
  while (reader.next()) {
    if (reader.field === 1) deleted = reader.bool();
    else if (reader.field === 2) item = decodeKeyValue(reader.bytes());
  }
  if (item === undefined) throw new RangeError('an event without a key');
  return { deleted, item };
}

/** Answers of LeaseGrant, LeaseKeepAlive and LeaseTimeToLive. */
export function decodeLease(bytes: Buffer): LeaseResponse {
  const reader = new ProtobufReader(bytes);
  const lease = { id: '0', ttl: 0, grantedTtl: 0 };
  while (reader.next()) {
    if (reader.field === 2) lease.id = reader.int64();
    else if (reader.field === 3) lease.ttl = Number(reader.int64());
    else if (reader.field === 4) lease.grantedTtl = Number(reader.int64());
  }
  return lease;
}

export function decodeToken(bytes: Buffer): string {
  const reader = new ProtobufReader(bytes);
  let token = '';
  while (reader.next()) if (reader.field === 2) token = reader.string();
  return token;
}

const NO_HEADER: Header = { clusterId: 0, revision: 0 };

function decodeHeader(bytes: Buffer): Header {
  const reader = new ProtobufReader(bytes);
  const header = { clusterId: 0, revision: 0 };
  while (reader.next()) {
    if (reader.field === 1) header.clusterId = reader.int();
    else if (reader.field === 3) header.revision = reader.int();
  }
  return header;
}

function decodeKeyValue(bytes: Buffer): EtcdKeyValue {
  const reader = new ProtobufReader(bytes);
  let [key, value, lease]: [string, Buffer, string | undefined] = ['', NO_BYTES, undefined];
  let [createRevision, modRevision] = [0, 0];
  while (reader.next()) {
    if (reader.field === 1) key = reader.string();
    else if (reader.field === 2) createRevision = reader.int();
    else if (reader.field === 3) modRevision = reader.int();
    else if (reader.field === 5) value = reader.bytes();
    else if (reader.field === 6) lease = reader.int64();
  }
  return { key, value, createRevision, modRevision, lease };
}

const NO_BYTES = Buffer.alloc(0);

function decodeNumber(bytes: Buffer, field: number): number {
  const reader = new ProtobufReader(bytes);
  while (reader.next()) if (reader.field === field) return reader.int();
  return 0;
}

/** The header of an answer of which nothing else matters. */
export function decodeHeaderOf(bytes: Buffer): Header {
  const reader = new ProtobufReader(bytes);
  while (reader.next()) if (reader.field === 1) return decodeHeader(reader.bytes());
  return NO_HEADER;
}
