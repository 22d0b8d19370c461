import { AF_INET, AF_INET6 } from '../ffi/constants.ts';
import { ipBytes, macBytes, prefixBytes } from '../ffi/ip-bytes.ts';
import type { LinkIndexes } from './link-indexes.ts';
import type { MessageWriter } from './message-writer.ts';
import type { AddressOperation, NeighbourOperation, NextHop, RouteOperation, RuleOperation } from './operations.ts';
import * as rt from './rtnetlink-constants.ts';

const scopes = { global: rt.RT_SCOPE_UNIVERSE, link: rt.RT_SCOPE_LINK, host: rt.RT_SCOPE_HOST } as const;
const routeTypes = {
  unicast: rt.RTN_UNICAST,
  local: rt.RTN_LOCAL,
  blackhole: rt.RTN_BLACKHOLE,
  unreachable: rt.RTN_UNREACHABLE,
  prohibit: rt.RTN_PROHIBIT,
} as const;

export function encodeAddress(w: MessageWriter, operation: AddressOperation, indexes: LinkIndexes): void {
  const { bytes, length } = prefixBytes(operation.address);
  const v4 = bytes.length === 4;
  const flags = rt.IFA_F_PERMANENT | (v4 ? 0 : rt.IFA_F_NODAD) | (operation.noPrefixRoute ? rt.IFA_F_NOPREFIXROUTE : 0);
  w.u8(v4 ? AF_INET : AF_INET6);
  w.u8(length);
  w.u8(flags & 0xff);
  w.u8(scopes[operation.scope ?? 'global']);
  w.u32(indexes.of(operation.link));
  w.attribute(rt.IFA_LOCAL, bytes);
  w.attribute(rt.IFA_ADDRESS, bytes);
  w.attributeU32(rt.IFA_FLAGS, flags);
  if (operation.label !== undefined) w.attribute(rt.IFA_LABEL, Buffer.from(`${operation.label}\0`));
  if (operation.deprecated) writeLifetimes(w, 0);
}

export function encodeRoute(w: MessageWriter, operation: RouteOperation, indexes: LinkIndexes): void {
  const { bytes, length } = prefixBytes(operation.destination);
  const table = operation.table ?? (operation.type === 'local' ? rt.RT_TABLE_LOCAL : rt.RT_TABLE_MAIN);
  w.u8(bytes.length === 4 ? AF_INET : AF_INET6);
  w.u8(length);
  w.u8(0);
  w.u8(0);
  w.u8(table < 256 ? table : rt.RT_TABLE_UNSPEC);
  w.u8(rt.RTPROT_STATIC);
  w.u8(scopeOf(operation, bytes.length === 4));
  w.u8(operation.kind === 'deleteRoute' && operation.type === undefined ? 0 : routeTypes[operation.type ?? 'unicast']);
  w.u32(operation.onLink ? rt.RTNH_F_ONLINK : 0);
  if (length > 0) w.attribute(rt.RTA_DST, bytes);
  if (table >= 256) w.attributeU32(rt.RTA_TABLE, table);
  if (operation.gateway !== undefined) w.attribute(rt.RTA_GATEWAY, ipBytes(operation.gateway));
  if (operation.link !== undefined) w.attributeU32(rt.RTA_OIF, indexes.of(operation.link));
  if (operation.source !== undefined) w.attribute(rt.RTA_PREFSRC, ipBytes(operation.source));
  if (operation.metric !== undefined) w.attributeU32(rt.RTA_PRIORITY, operation.metric);
  const { mtu, nextHops } = operation;
  if (mtu !== undefined) w.nest(rt.RTA_METRICS, () => w.attributeU32(rt.RTAX_MTU, mtu));
  if (nextHops !== undefined) w.nest(rt.RTA_MULTIPATH, () => writeNextHops(w, nextHops, indexes));
}

export function encodeNeighbour(w: MessageWriter, operation: NeighbourOperation, indexes: LinkIndexes): void {
  const address = ipBytes(operation.address);
  w.u8(address.length === 4 ? AF_INET : AF_INET6);
  w.u8(0);
  w.u16(0);
  w.u32(indexes.of(operation.link));
  w.u16(rt.NUD_PERMANENT);
  w.u8(0);
  w.u8(0);
  w.attribute(rt.NDA_DST, address);
  w.attribute(rt.NDA_LLADDR, macBytes(operation.mac));
}

export function encodeRule(w: MessageWriter, operation: RuleOperation): void {
  const from = operation.from === undefined ? undefined : prefixBytes(operation.from);
  const to = operation.to === undefined ? undefined : prefixBytes(operation.to);
  w.u8(operation.family === 'ipv4' ? AF_INET : AF_INET6);
  w.u8(to?.length ?? 0);
  w.u8(from?.length ?? 0);
  w.u8(0);
  w.u8(operation.table < 256 ? operation.table : rt.RT_TABLE_UNSPEC);
  w.u16(0);
  w.u8(rt.FR_ACT_TO_TBL);
  w.u32(0);
  w.attributeU32(rt.FRA_PRIORITY, operation.priority);
  w.attributeU32(rt.FRA_TABLE, operation.table);
  if (to !== undefined) w.attribute(rt.FRA_DST, to.bytes);
  if (from !== undefined) w.attribute(rt.FRA_SRC, from.bytes);
  if (operation.mark !== undefined) w.attributeU32(rt.FRA_FWMARK, operation.mark);
  if (operation.mask !== undefined) w.attributeU32(rt.FRA_FWMASK, operation.mask);
  if (operation.inputLink !== undefined) w.attributeString(rt.FRA_IIFNAME, operation.inputLink);
  if (operation.uid !== undefined) w.attribute(rt.FRA_UID_RANGE, uidRange(operation.uid));
}

/** `struct fib_rule_uid_range`: the first and the last id. */
function uidRange(uid: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(uid, 0);
  bytes.writeUInt32LE(uid, 4);
  return bytes;
}

// As `ip route` chooses: a route to this host is of scope host, one without a gateway of scope link. IPv6 knows no scopes.
function scopeOf(operation: RouteOperation, v4: boolean): number {
  if (!v4) return rt.RT_SCOPE_UNIVERSE;
  if (operation.kind === 'deleteRoute') return rt.RT_SCOPE_NOWHERE;
  if (operation.type === 'local') return rt.RT_SCOPE_HOST;
  const direct = operation.gateway === undefined && operation.nextHops === undefined;
  return direct && (operation.type ?? 'unicast') === 'unicast' ? rt.RT_SCOPE_LINK : rt.RT_SCOPE_UNIVERSE;
}

function writeNextHops(w: MessageWriter, nextHops: readonly NextHop[], indexes: LinkIndexes): void {
  for (const { gateway, link, weight = 1 } of nextHops) {
    w.lengthPrefixed(() => {
      w.u8(0);
      w.u8(weight - 1);
      w.u32(link === undefined ? 0 : indexes.of(link));
      w.attribute(rt.RTA_GATEWAY, ipBytes(gateway));
    });
  }
}

/** `struct ifa_cacheinfo`: preferred and valid lifetime in seconds, and two times that only the kernel writes. */
function writeLifetimes(w: MessageWriter, preferred: number): void {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32LE(preferred, 0);
  bytes.writeUInt32LE(rt.INFINITE_LIFETIME, 4);
  w.attribute(rt.IFA_CACHEINFO, bytes);
}
