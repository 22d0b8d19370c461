import type { TableFamily } from '../../netfilter/nftables/table.ts';
import { findAttribute } from '../netlink/rtnetlink-socket.ts';
import { ask } from './ask.ts';
import * as nf from './constants.ts';
import { familyNumber } from './message-header.ts';
import type { NftablesSocket } from './nftables-socket.ts';

/** The handles of a chain's rules, in their order; none when there is no such chain. */
export function readRuleHandles(
  socket: NftablesSocket,
  { family, table, chain }: { readonly family: TableFamily; readonly table: string; readonly chain: string },
): Buffer[] {
  const names = [[nf.NFTA_RULE_TABLE, table] as const, [nf.NFTA_RULE_CHAIN, chain] as const];
  return ask(socket, { type: nf.NFT_MSG_GETRULE, family: familyNumber(family), names, list: true })
    .map((rule) => findAttribute(rule, nf.NFTA_RULE_HANDLE))
    .filter((handle) => handle !== undefined);
}
