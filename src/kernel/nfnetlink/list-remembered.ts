import { printAddress } from '../../netfilter/address.ts';
import type { TableFamily } from '../../netfilter/nftables/table.ts';
import type { RememberedClient } from '../../netfilter/runner.ts';
import { findAttribute } from '../netlink/rtnetlink-socket.ts';
import { ask } from './ask.ts';
import * as nf from './constants.ts';
import { familyNumber } from './message-header.ts';
import type { NftablesSocket } from './nftables-socket.ts';

/** Reads the addresses of a dynamic set with the time that they have left; none when there is no such set. */
export function listRemembered(
  socket: NftablesSocket,
  { family, table, set }: { readonly family: TableFamily; readonly table: string; readonly set: string },
): RememberedClient[] {
  const names = [[nf.NFTA_SET_ELEM_LIST_TABLE, table] as const, [nf.NFTA_SET_ELEM_LIST_SET, set] as const];
  const question = { type: nf.NFT_MSG_GETSETELEM, family: familyNumber(family), names, list: true };
  return ask(socket, question).flatMap(readElements);
}

function readElements(part: Buffer): RememberedClient[] {
  const list = findAttribute(part, nf.NFTA_SET_ELEM_LIST_ELEMENTS);
  const found: RememberedClient[] = [];
  for (let at = 0; list !== undefined && at + 4 <= list.length; at += (list.readUInt16LE(at) + 3) & ~3) {
    const element = list.subarray(at + 4, at + list.readUInt16LE(at));
    const key = findAttribute(element, nf.NFTA_SET_ELEM_KEY);
    const value = key === undefined ? undefined : findAttribute(key, nf.NFTA_DATA_VALUE);
    const left = findAttribute(element, nf.NFTA_SET_ELEM_EXPIRATION);
    if (value === undefined || left === undefined) continue;
    found.push({ address: printBytes(value), expiresSeconds: Number(left.readBigUInt64BE(0)) / 1000 });
  }
  return found;
}

function printBytes(bytes: Buffer): string {
  return printAddress(bytes.length === 4 ? 'ipv4' : 'ipv6', BigInt(`0x${bytes.toString('hex')}`));
}
