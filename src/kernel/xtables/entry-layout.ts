import type { Family } from '../../netfilter/runner.ts';
import { AF_INET, AF_INET6, IPPROTO_IP, IPPROTO_IPV6 } from '../ffi/constants.ts';

/** Where the parts of a rule are in x_tables' binary form of a family, in bytes: struct ipt_entry, struct ip6t_entry. */
export interface EntryLayout {
  readonly family: Family;
  readonly domain: number;
  /** The level of the socket options. */
  readonly level: number;
  /** Before the first match. */
  readonly headerBytes: number;
  /** What a packet's header is compared with; two rules that match alike have the same bytes up to here. */
  readonly conditionBytes: number;
  readonly addressBytes: number;
  readonly interfacesAt: number;
  readonly protocolAt: number;
  readonly flagsAt: number;
  readonly inversionsAt: number;
  /** Two 16-bit numbers: where the target begins, and where the next rule does. */
  readonly targetOffsetAt: number;
  /** Flag of a jump that does not come back. */
  readonly gotoFlag: number;
  /** Flag of a rule that names a protocol. */
  readonly protocolFlag: number;
}

export const LAYOUTS: Readonly<Record<Family, EntryLayout>> = {
  ipv4: {
    family: 'ipv4',
    domain: AF_INET,
    level: IPPROTO_IP,
    headerBytes: 112,
    conditionBytes: 84,
    addressBytes: 4,
    interfacesAt: 16,
    protocolAt: 80,
    flagsAt: 82,
    inversionsAt: 83,
    targetOffsetAt: 88,
    gotoFlag: 2,
    protocolFlag: 0,
  },
  ipv6: {
    family: 'ipv6',
    domain: AF_INET6,
    level: IPPROTO_IPV6,
    headerBytes: 168,
    conditionBytes: 136,
    addressBytes: 16,
    interfacesAt: 64,
    protocolAt: 128,
    flagsAt: 131,
    inversionsAt: 132,
    targetOffsetAt: 140,
    gotoFlag: 4,
    protocolFlag: 1,
  },
};

/** struct xt_entry_match and xt_entry_target: size, name, revision; what the extension reads follows. */
export const EXTENSION_HEADER_BYTES = 32;
export const EXTENSION_NAME_AT = 2;
export const EXTENSION_REVISION_AT = 31;
/** The longest name of a chain. */
export const LONGEST_CHAIN_NAME = 28;
/** The target of a verdict or a jump is a 32-bit number behind an extension header without a name. */
export const STANDARD_TARGET_BYTES = 40;
/** The first entry of a chain is a target of this name with the chain's. */
export const ERROR_TARGET_BYTES = 64;

/** Verdicts of netfilter in a standard target; a number from 0 on is where to go on in the table. */
export const VERDICTS = { accept: -2, drop: -1, return: -5 } as const;

/** Hooks in the order of their numbers, by the names of their chains. */
export const HOOK_CHAINS = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'] as const;

/** The header of a match or a target with all that follows zero: `dataBytes` of it, rounded up to eight. */
export function extensionTemplate(name: string, revision: number, dataBytes: number): Buffer {
  const template = Buffer.alloc(EXTENSION_HEADER_BYTES + ((dataBytes + 7) & ~7));
  template.writeUInt16LE(template.length);
  template.write(name, EXTENSION_NAME_AT);
  template[EXTENSION_REVISION_AT] = revision;
  return template;
}
