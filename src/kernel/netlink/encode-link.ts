import { AF_BRIDGE, AF_UNSPEC } from '../ffi/constants.ts';
import { ipBytes, macBytes } from '../ffi/ip-bytes.ts';
import type { LinkIndexes } from './link-indexes.ts';
import type { MessageWriter } from './message-writer.ts';
import type { AddBridge, AddVeth, AddVxlan, DeleteLink, FdbOperation, SetBridgePort, SetLink } from './operations.ts';
import * as rt from './rtnetlink-constants.ts';

/** Writes the message of a new link. The index is ours, so that later messages of the same batch can name the link. */
export function encodeAddLink(w: MessageWriter, operation: AddBridge | AddVeth | AddVxlan, indexes: LinkIndexes): void {
  const index = indexes.assign(operation.name);
  writeHeader(w, index, operation.up);
  w.attributeString(rt.IFLA_IFNAME, operation.name);
  if (operation.mac !== undefined) w.attribute(rt.IFLA_ADDRESS, macBytes(operation.mac));
  if (operation.mtu !== undefined) w.attributeU32(rt.IFLA_MTU, operation.mtu);
  if (operation.master !== undefined) w.attributeU32(rt.IFLA_MASTER, indexes.of(operation.master));
  if (operation.kind === 'addVeth') writeOneQueue(w);
  w.nest(rt.IFLA_LINKINFO, () => {
    w.attributeString(rt.IFLA_INFO_KIND, linkType(operation));
    w.nest(rt.IFLA_INFO_DATA, () => {
      if (operation.kind === 'addBridge') writeBridge(w);
      else if (operation.kind === 'addVeth') writePeer(w, operation, indexes);
      else writeVxlan(w, operation);
    });
  });
}

/** The kernel's name for the type of link that an operation makes. */
export function linkType(operation: AddBridge | AddVeth | AddVxlan): 'bridge' | 'veth' | 'vxlan' {
  return operation.kind === 'addBridge' ? 'bridge' : operation.kind === 'addVeth' ? 'veth' : 'vxlan';
}

export function encodeSetLink(w: MessageWriter, operation: SetLink, indexes: LinkIndexes): void {
  writeHeader(w, indexes.of(operation.link), operation.up);
  if (operation.rename !== undefined) w.attributeString(rt.IFLA_IFNAME, operation.rename);
  if (operation.mac !== undefined) w.attribute(rt.IFLA_ADDRESS, macBytes(operation.mac));
  if (operation.mtu !== undefined) w.attributeU32(rt.IFLA_MTU, operation.mtu);
  if (operation.master !== undefined) {
    w.attributeU32(rt.IFLA_MASTER, operation.master === null ? 0 : indexes.of(operation.master));
  }
  if (operation.rename !== undefined) indexes.rename(operation.link, operation.rename);
}

export function encodeSetBridgePort(w: MessageWriter, operation: SetBridgePort, indexes: LinkIndexes): void {
  writeHeader(w, indexes.of(operation.link), undefined);
  w.nest(rt.IFLA_LINKINFO, () => {
    w.attributeString(rt.IFLA_INFO_SLAVE_KIND, 'bridge');
    w.nest(rt.IFLA_INFO_SLAVE_DATA, () => {
      if (operation.state !== undefined) w.attributeU8(rt.IFLA_BRPORT_STATE, operation.state);
      if (operation.hairpin !== undefined) w.attributeU8(rt.IFLA_BRPORT_MODE, Number(operation.hairpin));
      if (operation.learning !== undefined) w.attributeU8(rt.IFLA_BRPORT_LEARNING, Number(operation.learning));
      if (operation.isolated !== undefined) w.attributeU8(rt.IFLA_BRPORT_ISOLATED, Number(operation.isolated));
    });
  });
}

export function encodeDeleteLink(w: MessageWriter, operation: DeleteLink, indexes: LinkIndexes): void {
  writeHeader(w, indexes.of(operation.link), undefined);
  indexes.forget(operation.link);
}

export function encodeFdb(w: MessageWriter, operation: FdbOperation, indexes: LinkIndexes): void {
  w.u8(AF_BRIDGE);
  w.u8(0);
  w.u16(0);
  w.u32(indexes.of(operation.link));
  w.u16(operation.destination === undefined ? rt.NUD_NOARP : rt.NUD_PERMANENT | rt.NUD_NOARP);
  w.u8(operation.destination === undefined ? rt.NTF_MASTER : rt.NTF_SELF);
  w.u8(0);
  w.attribute(rt.NDA_LLADDR, macBytes(operation.mac));
  if (operation.destination !== undefined) w.attribute(rt.NDA_DST, ipBytes(operation.destination));
}

/** `struct ifinfomsg`; `up` undefined leaves the flag as it is. */
function writeHeader(w: MessageWriter, index: number, up: boolean | undefined): void {
  w.u8(AF_UNSPEC);
  w.u8(0);
  w.u16(0);
  w.u32(index);
  w.u32(up === true ? rt.IFF_UP : 0);
  w.u32(up === undefined ? 0 : rt.IFF_UP);
}

// A bridge that snoops multicast without a querier loses neighbour solicitations; without spanning tree ports forward at once.
function writeBridge(w: MessageWriter): void {
  w.attributeU32(rt.IFLA_BR_STP_STATE, 0);
  w.attributeU8(rt.IFLA_BR_MCAST_SNOOPING, 0);
}

// Unasked, the kernel makes a queue per processor and takes all but one away again, for which it waits with the lock of all
// links held (veth_init_queues in drivers/net/veth.c): half the time that a pair takes.
function writeOneQueue(w: MessageWriter): void {
  w.attributeU32(rt.IFLA_NUM_TX_QUEUES, 1);
  w.attributeU32(rt.IFLA_NUM_RX_QUEUES, 1);
}

function writePeer(w: MessageWriter, { peer }: AddVeth, indexes: LinkIndexes): void {
  w.nest(rt.VETH_INFO_PEER, () => {
    const owner = peer.netns === undefined ? indexes : indexes.elsewhere(peer.netns);
    writeHeader(w, owner.assign(peer.name), undefined);
    w.attributeString(rt.IFLA_IFNAME, peer.name);
    if (peer.mac !== undefined) w.attribute(rt.IFLA_ADDRESS, macBytes(peer.mac));
    if (peer.mtu !== undefined) w.attributeU32(rt.IFLA_MTU, peer.mtu);
    writeOneQueue(w);
    if (peer.netns !== undefined) w.attributeU32(rt.IFLA_NET_NS_FD, peer.netns.fd);
  });
}

function writeVxlan(w: MessageWriter, { id, local, port = 4789 }: AddVxlan): void {
  const address = ipBytes(local);
  w.attributeU32(rt.IFLA_VXLAN_ID, id);
  w.attribute(address.length === 4 ? rt.IFLA_VXLAN_LOCAL : rt.IFLA_VXLAN_LOCAL6, address);
  w.attributeU8(rt.IFLA_VXLAN_LEARNING, 0);
  w.attribute(rt.IFLA_VXLAN_PORT, Buffer.from([port >> 8, port & 0xff]));
}
