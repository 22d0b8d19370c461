import type { TableInfo } from './table-content.ts';

/** struct ipt_replace, behind which the entries follow. */
export const REPLACE_BYTES = 96;
/** struct xt_counters_info, behind which the counters follow. */
export const COUNTERS_HEADER_BYTES = 40;
/** struct xt_counters: packets and bytes. */
export const COUNTER_BYTES = 16;

// Tables grow: room for some more Services.
const SLACK = 1.125;
const SLACK_BYTES = 65_536;
const IDLE_MS = 10_000;

/** Memory to change a table in: what is sent to the kernel, entries with the room of a request before them, and counters. */
export class TableMemory {
  request = Buffer.allocUnsafeSlow(0);
  #counters = Buffer.allocUnsafeSlow(0);

  /** Gives the memory back at once, whenever garbage is collected. */
  free(): void {
    for (const { buffer } of [this.request, this.#counters]) (buffer as ArrayBuffer).transfer(0);
  }

  /** The entries, `size` bytes of them. */
  entries(size: number): Buffer {
    return this.request.subarray(REPLACE_BYTES, REPLACE_BYTES + size);
  }

  /** Makes room for a table, keeping the first `kept` bytes of what is there. */
  reserve({ size }: Pick<TableInfo, 'size'>, kept = 0): void {
    if (this.request.length >= REPLACE_BYTES + size) return;
    const before = this.request;
    this.request = Buffer.allocUnsafeSlow(REPLACE_BYTES + Math.ceil(size * SLACK) + SLACK_BYTES);
    before.copy(this.request, 0, 0, REPLACE_BYTES + kept);
  }

  /** Memory for the counters of two tables, the second with room for a request before it. */
  counters(first: number, second: number): { readonly old: Buffer; readonly added: Buffer } {
    const oldBytes = first * COUNTER_BYTES;
    const bytes = oldBytes + COUNTERS_HEADER_BYTES + second * COUNTER_BYTES;
    if (this.#counters.length < bytes) this.#counters = Buffer.allocUnsafeSlow(Math.ceil(bytes * SLACK) + SLACK_BYTES);
    return { old: this.#counters.subarray(0, oldBytes), added: this.#counters.subarray(oldBytes, bytes) };
  }
}

// All proxies of a process change their tables in the same memory, one after the other if they can. Memory that was used a
// moment ago is ten times as fast as memory that the kernel has to find first; after a while it is given back.
const idle: TableMemory[] = [];
let timer: NodeJS.Timeout | undefined;

/** Lends memory to `use` until its promise settles. */
export async function withTableMemory<T>(use: (memory: TableMemory) => Promise<T>): Promise<T> {
  const memory = idle.pop() ?? new TableMemory();
  try {
    return await use(memory);
  } finally {
    idle.push(memory);
    timer ??= setTimeout(forget, IDLE_MS).unref();
    timer.refresh();
  }
}

function forget(): void {
  timer = undefined;
  for (const memory of idle.splice(0)) memory.free();
}
