import { closeSync } from 'node:fs';
import { SOCK_CLOEXEC, SOCK_RAW } from '../ffi/constants.ts';
import { libc } from '../ffi/libc.ts';
import type { NetworkNamespace } from '../network-namespace.ts';
import type { EntryLayout } from './entry-layout.ts';
import type { CounterRun, TableLayout } from './lay-out-table.ts';
import type { TableInfo } from './table-content.ts';
import { COUNTER_BYTES, COUNTERS_HEADER_BYTES, REPLACE_BYTES, type TableMemory } from './table-memory.ts';

// linux/netfilter_ipv4/ip_tables.h; IPv6 has the same numbers.
const SO_SET_REPLACE = 64;
const SO_SET_ADD_COUNTERS = 65;
const SO_GET_INFO = 64;
const SO_GET_ENTRIES = 65;
const IPPROTO_RAW = 255;

const INFO_BYTES = 84;
// struct ipt_get_entries, behind which the entries follow.
const GET_BYTES = 40;
const TABLE_NAME_BYTES = 32;
const HOOKS = [0, 1, 2, 3, 4] as const;

/**
 * A socket over which the tables of iptables-legacy are read and replaced. The kernel works beside this thread. What it refuses
 * is told as undefined or false, without a reason.
 */
export class TableSocket implements Disposable {
  readonly #fd: number;
  readonly #layout: EntryLayout;

  private constructor(fd: number, layout: EntryLayout) {
    this.#fd = fd;
    this.#layout = layout;
  }

  /** Opens a socket in a namespace; undefined without the privilege. */
  static open(netns: NetworkNamespace, layout: EntryLayout): TableSocket | undefined {
    const fd = netns.run(() => libc().socket(layout.domain, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
    return fd === -1 ? undefined : new TableSocket(fd, layout);
  }

  /** What the kernel says of a table. */
  async info(table: string): Promise<TableInfo | undefined> {
    const info = await this.#info(table);
    if (info === undefined) return undefined;
    return {
      validHooks: info.readUInt32LE(32),
      hookEntries: HOOKS.map((hook) => info.readUInt32LE(36 + hook * 4)),
      entryCount: info.readUInt32LE(76),
      size: info.readUInt32LE(80),
    };
  }

  /** All of that as a text, with the places where the built-in chains end. */
  async describe(table: string): Promise<string | undefined> {
    return (await this.#info(table))?.toString('hex', TABLE_NAME_BYTES);
  }

  /** Reads all entries into the memory. */
  async read(table: string, { size }: TableInfo, memory: TableMemory): Promise<boolean> {
    memory.reserve({ size });
    const at = REPLACE_BYTES - GET_BYTES;
    const request = memory.request.subarray(at, REPLACE_BYTES + size);
    request.fill(0, 0, GET_BYTES);
    request.write(table);
    request.writeUInt32LE(size, TABLE_NAME_BYTES);
    return await this.#get(SO_GET_ENTRIES, request);
  }

  /** Replaces the table by the entries in the memory, all or nothing; entries that are kept go on counting. */
  async replace(
    table: string,
    before: TableInfo,
    { layout, memory }: { layout: TableLayout; memory: TableMemory },
  ): Promise<boolean> {
    const { old, added } = memory.counters(before.entryCount, layout.entryCount);
    const request = memory.request.subarray(0, REPLACE_BYTES + layout.size);
    request.fill(0, 0, REPLACE_BYTES);
    request.write(table);
    request.writeUInt32LE(before.validHooks, 32);
    request.writeUInt32LE(layout.entryCount, 36);
    request.writeUInt32LE(layout.size, 40);
    for (const hook of HOOKS) {
      request.writeUInt32LE(layout.hookEntries[hook]!, 44 + hook * 4);
      request.writeUInt32LE(layout.underflows[hook]!, 64 + hook * 4);
    }
    request.writeUInt32LE(before.entryCount, 84);
    request.writeBigUInt64LE(libc().address(old), 88);
    if (!(await this.#set(SO_SET_REPLACE, request))) return false;
    writeCounters(added, { table, old, layout });
    await this.#set(SO_SET_ADD_COUNTERS, added);
    return true;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  async #info(table: string): Promise<Buffer | undefined> {
    const info = Buffer.alloc(INFO_BYTES);
    info.write(table);
    return (await this.#get(SO_GET_INFO, info)) ? info : undefined;
  }

  async #get(option: number, value: Buffer): Promise<boolean> {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(value.length);
    return (await libc().aside('getsockopt', this.#fd, this.#layout.level, option, value, length)) === 0;
  }

  async #set(option: number, value: Buffer): Promise<boolean> {
    return (await libc().aside('setsockopt', this.#fd, this.#layout.level, option, value, value.length)) === 0;
  }
}

interface Counted {
  readonly table: string;
  /** What the replaced table had counted at its end. */
  readonly old: Buffer;
  readonly layout: { readonly entryCount: number; readonly counters: readonly CounterRun[] };
}

function writeCounters(into: Buffer, { table, old, layout }: Counted): void {
  into.fill(0);
  into.write(table);
  into.writeUInt32LE(layout.entryCount, TABLE_NAME_BYTES);
  for (const { from, to, count } of layout.counters)
    old.copy(into, COUNTERS_HEADER_BYTES + to * COUNTER_BYTES, from * COUNTER_BYTES, (from + count) * COUNTER_BYTES);
}
