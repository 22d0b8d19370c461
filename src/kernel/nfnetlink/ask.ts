import { MessageWriter } from '../netlink/message-writer.ts';
import * as nf from './constants.ts';
import { writeHeader } from './message-header.ts';
import type { NftablesSocket } from './nftables-socket.ts';

export interface Question {
  /** NFT_MSG_GET... */
  readonly type: number;
  /** Number of the table's family. */
  readonly family: number;
  /** Names by the attributes that they stand in. */
  readonly names?: readonly (readonly [attribute: number, name: string])[];
  /** Asks for a list (NLM_F_DUMP). */
  readonly list?: boolean;
}

/** The attributes of each object that the kernel answers with; nothing when what is asked for does not exist. */
export function ask(socket: NftablesSocket, { type, family, names = [], list = false }: Question): Buffer[] {
  const w = new MessageWriter(512);
  w.begin(type, nf.NLM_F_REQUEST | (list ? nf.NLM_F_DUMP : 0), 1);
  writeHeader(w, family);
  for (const [attribute, name] of names) w.attributeString(attribute, name);
  w.end();
  return socket
    .exchange(w.bytes())
    .filter(({ type: answered }) => answered >> 8 === nf.NFNL_SUBSYS_NFTABLES)
    .map(({ body }) => body.subarray(HEADER_BYTES));
}

// struct nfgenmsg, behind which come the attributes.
const HEADER_BYTES = 4;
