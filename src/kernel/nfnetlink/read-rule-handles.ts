import type { TableFamily } from '../../netfilter/nftables/table.ts';
import { MessageWriter } from '../netlink/message-writer.ts';
import { findAttribute } from '../netlink/rtnetlink-socket.ts';
import * as nf from './constants.ts';
import { familyNumber, writeHeader } from './message-header.ts';
import type { NftablesSocket } from './nftables-socket.ts';

/** The handles of a chain's rules, in their order; none when there is no such chain. */
export function readRuleHandles(
  socket: NftablesSocket,
  { family, table, chain }: { readonly family: TableFamily; readonly table: string; readonly chain: string },
): Buffer[] {
  const w = new MessageWriter(512);
  w.begin(nf.NFT_MSG_GETRULE, nf.NLM_F_REQUEST | nf.NLM_F_DUMP, 1);
  writeHeader(w, familyNumber(family));
  w.attributeString(nf.NFTA_RULE_TABLE, table);
  w.attributeString(nf.NFTA_RULE_CHAIN, chain);
  w.end();
  // Behind `struct nfgenmsg` come the attributes.
  return socket
    .exchange(w.bytes())
    .filter(({ type }) => type === nf.NFT_MSG_NEWRULE)
    .map(({ body }) => findAttribute(body.subarray(4), nf.NFTA_RULE_HANDLE))
    .filter((handle) => handle !== undefined);
}
