import { closeSync, constants, openSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { parseRestore, type RestoreInput, type RestoreSection } from '../../netfilter/iptables/restore-input.ts';
import type { Family } from '../../netfilter/runner.ts';
import { libc } from '../ffi/libc.ts';
import type { NetworkNamespace } from '../network-namespace.ts';
import { LAYOUTS } from './entry-layout.ts';
import { layOutTable } from './lay-out-table.ts';
import { moveEntries } from './move-entries.ts';
import { carryOut, isQuestion } from './restore-commands.ts';
import { TableContent } from './table-content.ts';
import { TableEdit } from './table-edit.ts';
import { type TableMemory, withTableMemory } from './table-memory.ts';
import { TableSocket } from './table-socket.ts';

const LOCK_EX = 2;
const LOCK_NB = 4;
// So many commands take less than ten milliseconds.
const COMMANDS_A_TURN = 2000;

/** Does for one network namespace what iptables-legacy-restore does, without the program. */
export class TableRestorer {
  readonly #netns: NetworkNamespace;
  readonly #lockFile: string;

  constructor(netns: NetworkNamespace, lockFile: string) {
    this.#netns = netns;
    this.#lockFile = lockFile;
  }

  /**
   * Carries out an input of iptables-restore --noflush, table by table, each all or nothing. Resolves with what is left for
   * the program from the first table on that holds something which it knows better: an unusual match, an error to be told.
   */
  async restore(family: Family, input: RestoreInput): Promise<RestoreInput> {
    const sections = typeof input === 'string' ? parseRestore(input) : input;
    if (sections === undefined) return input;
    for (const [index, section] of sections.entries()) {
      if (!(await this.#restoreTable(family, section))) return sections.slice(index);
    }
    return [];
  }

  async #restoreTable(family: Family, section: RestoreSection): Promise<boolean> {
    const lock = takeLock(this.#lockFile);
    if (lock === undefined) return false;
    try {
      return await withTableMemory((memory) => this.#change(family, section, memory));
    } finally {
      closeSync(lock);
    }
  }

  async #change(family: Family, { table, commands }: RestoreSection, memory: TableMemory): Promise<boolean> {
    const layout = LAYOUTS[family];
    using socket = TableSocket.open(this.#netns, layout);
    const info = await socket?.info(table);
    if (socket === undefined || info === undefined || !(await socket.read(table, info, memory))) return false;
    const entries = memory.entries(info.size);
    const content = TableContent.read(entries, info, layout);
    if (content === undefined) return false;
    const edit = new TableEdit(table, { entries, content, layout });
    if (!(await carryOutAll(edit, commands))) return false;
    if (commands.every(isQuestion)) return true;
    const wanted = layOutTable(edit, content, info);
    memory.reserve(wanted, info.size);
    if (!moveEntries(memory.entries(Math.max(info.size, wanted.size)), wanted, content)) return false;
    return await socket.replace(table, info, { layout: wanted, memory });
  }
}

async function carryOutAll(edit: TableEdit, commands: RestoreSection['commands']): Promise<boolean> {
  for (const [index, command] of commands.entries()) {
    if (index % COMMANDS_A_TURN === COMMANDS_A_TURN - 1) await setImmediate();
    if (!carryOut(edit, command)) return false;
  }
  return true;
}

// The lock that the programs take, too. When somebody has it, the program waits for it.
function takeLock(path: string): number | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_CREAT, 0o600);
  } catch {
    // The program says what is wrong with the place.
    return undefined;
  }
  if (libc().flock(fd, LOCK_EX | LOCK_NB) === 0) return fd;
  closeSync(fd);
  return undefined;
}
