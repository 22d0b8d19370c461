import type { TableFamily } from '../../netfilter/nftables/table.ts';
import { findAttribute } from '../netlink/rtnetlink-socket.ts';
import { ask } from './ask.ts';
import * as nf from './constants.ts';
import { familyNumber } from './message-header.ts';
import type { NftablesSocket } from './nftables-socket.ts';

export interface FingerprintOf {
  readonly family: TableFamily;
  readonly table: string;
  readonly chains: readonly string[];
}

/**
 * The table's handle (a new table has a new one), and for each chain how many rules it has and jumps lead to it. Undefined
 * when there is no such table.
 */
export function readFingerprint(socket: NftablesSocket, { family, table, chains }: FingerprintOf): string | undefined {
  const ofFamily = familyNumber(family);
  const named = [[nf.NFTA_TABLE_NAME, table] as const];
  const [ofTable] = ask(socket, { type: nf.NFT_MSG_GETTABLE, family: ofFamily, names: named });
  if (ofTable === undefined) return undefined;
  const parts = [hex(ofTable, nf.NFTA_TABLE_HANDLE)];
  for (const chain of chains) {
    const names = [[nf.NFTA_CHAIN_TABLE, table] as const, [nf.NFTA_CHAIN_NAME, chain] as const];
    const [ofChain] = ask(socket, { type: nf.NFT_MSG_GETCHAIN, family: ofFamily, names });
    parts.push(ofChain === undefined ? '-' : hex(ofChain, nf.NFTA_CHAIN_USE));
  }
  return parts.join(' ');
}

function hex(answer: Buffer, attribute: number): string {
  return findAttribute(answer, attribute)?.toString('hex').replace(/^0+/, '') ?? '';
}
