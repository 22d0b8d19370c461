import { MessageWriter } from '../netlink/message-writer.ts';
import { findAttribute } from '../netlink/rtnetlink-socket.ts';
import * as nf from './constants.ts';
import { writeHeader } from './message-header.ts';
import { isAcknowledgement, type NftablesSocket } from './nftables-socket.ts';

const ANY_FAMILY = 0;

/** The number that grows with each transaction of a namespace, whoever makes it; undefined when the kernel does not tell. */
export function readGeneration(socket: NftablesSocket): string | undefined {
  const w = new MessageWriter(64);
  w.begin(nf.NFT_MSG_GETGEN, nf.NLM_F_REQUEST, 1);
  writeHeader(w, ANY_FAMILY);
  w.end();
  const [answer] = socket.exchange(w.bytes());
  if (answer === undefined || isAcknowledgement(answer)) return undefined;
  // Behind `struct nfgenmsg` come the attributes.
  return findAttribute(answer.body.subarray(4), nf.NFTA_GEN_ID)?.toString('hex');
}
