import type { Family } from '../../netfilter/runner.ts';
import type { NetworkNamespace } from '../network-namespace.ts';
import { LAYOUTS } from './entry-layout.ts';
import { TableSocket } from './table-socket.ts';

const TABLES = ['filter', 'mangle', 'nat'];

/**
 * How large the tables are, how many entries they have, and where the built-in chains begin and end: what the kernel tells of
 * them at any size for nothing. Undefined when it does not tell.
 */
export async function describeTables(netns: NetworkNamespace, family: Family): Promise<string | undefined> {
  using socket = TableSocket.open(netns, LAYOUTS[family]);
  const words: string[] = [];
  for (const table of TABLES) {
    const description = await socket?.describe(table);
    if (description === undefined) return undefined;
    words.push(description);
  }
  return words.join(' ');
}
