import type { TableFamily } from '../../netfilter/nftables/table.ts';
import { AF_INET, AF_INET6 } from '../ffi/constants.ts';
import type { MessageWriter } from '../netlink/message-writer.ts';

const families: Readonly<Record<TableFamily, number>> = { inet: 1, ip: AF_INET, ip6: AF_INET6 };

/** Number of a table family. */
export function familyNumber(family: TableFamily): number {
  return families[family];
}

/** Writes `struct nfgenmsg`: family, version 0, and a number in network order. */
export function writeHeader(w: MessageWriter, family: number, resource = 0): void {
  w.u8(family);
  w.u8(0);
  w.u8(resource >> 8);
  w.u8(resource & 0xff);
}
