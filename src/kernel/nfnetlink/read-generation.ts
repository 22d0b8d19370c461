import { findAttribute } from '../netlink/rtnetlink-socket.ts';
import { ask } from './ask.ts';
import * as nf from './constants.ts';
import type { NftablesSocket } from './nftables-socket.ts';

const ANY_FAMILY = 0;

/** The number that grows with each transaction of a namespace, whoever makes it; undefined when the kernel does not tell. */
export function readGeneration(socket: NftablesSocket): string | undefined {
  const [answer] = ask(socket, { type: nf.NFT_MSG_GETGEN, family: ANY_FAMILY });
  return answer && findAttribute(answer, nf.NFTA_GEN_ID)?.toString('hex');
}
