import type { TableFamily } from '../../netfilter/nftables/table.ts';
import { MessageWriter } from '../netlink/message-writer.ts';
import { findAttribute } from '../netlink/rtnetlink-socket.ts';
import * as nf from './constants.ts';
import { familyNumber, writeHeader } from './message-header.ts';
import { isAcknowledgement, type NftablesSocket, type Reply } from './nftables-socket.ts';

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
  const ofTable = ask(socket, (w) => {
    w.begin(nf.NFT_MSG_GETTABLE, nf.NLM_F_REQUEST, 1);
    writeHeader(w, familyNumber(family));
    w.attributeString(nf.NFTA_TABLE_NAME, table);
  });
  if (ofTable === undefined) return undefined;
  const parts = [hex(ofTable, nf.NFTA_TABLE_HANDLE)];
  for (const chain of chains) {
    const ofChain = ask(socket, (w) => {
      w.begin(nf.NFT_MSG_GETCHAIN, nf.NLM_F_REQUEST, 1);
      writeHeader(w, familyNumber(family));
      w.attributeString(nf.NFTA_CHAIN_TABLE, table);
      w.attributeString(nf.NFTA_CHAIN_NAME, chain);
    });
    parts.push(ofChain === undefined ? '-' : hex(ofChain, nf.NFTA_CHAIN_USE));
  }
  return parts.join(' ');
}

function ask(socket: NftablesSocket, write: (w: MessageWriter) => void): Reply | undefined {
  const w = new MessageWriter(512);
  write(w);
  w.end();
  const [answer] = socket.exchange(w.bytes());
  return answer === undefined || isAcknowledgement(answer) ? undefined : answer;
}

// Behind `struct nfgenmsg` come the attributes.
function hex({ body }: Reply, attribute: number): string {
  return findAttribute(body.subarray(4), attribute)?.toString('hex').replace(/^0+/, '') ?? '';
}
