import { closeSync } from 'node:fs';
import { AF_PACKET, ETH_P_ARP, ETH_P_IPV6, SOCK_RAW } from '../ffi/constants.ts';
import { ipBytes, macBytes } from '../ffi/ip-bytes.ts';
import { linkLayerAddress } from '../ffi/socket-address.ts';
import { openSocket, systemCall } from '../ffi/system-calls.ts';
import { LinkIndexes } from '../netlink/link-indexes.ts';
import type { NetworkNamespace } from '../network-namespace.ts';

const broadcast = 'ff:ff:ff:ff:ff:ff';
const allNodes = 'ff02::1';
const allNodesMac = '33:33:00:00:00:01';

/** Sends announcements from one namespace's eth0. */
export class Announcer implements Disposable {
  readonly #netns: NetworkNamespace;
  readonly #mac: string;
  // Kept open: closing a packet socket waits some ten milliseconds for the whole machine.
  #fd: number | undefined;

  constructor(netns: NetworkNamespace, mac: string) {
    this.#netns = netns;
    this.#mac = mac;
  }

  /** Tells everybody on the fabric that `address` is here: whoever knew it elsewhere sends here from now on. Throws ERR_SYSCALL. */
  announce(address: string): void {
    const v6 = ipBytes(address).length === 16;
    const frame = v6 ? buildNeighbourAdvertisement(address, this.#mac) : buildGratuitousArp(address, this.#mac);
    const index = LinkIndexes.of(this.#netns).of('eth0');
    const destination = linkLayerAddress(v6 ? ETH_P_IPV6 : ETH_P_ARP, index, macBytes(v6 ? allNodesMac : broadcast));
    const netns = this.#netns.name;
    this.#fd ??= this.#netns.run(() => openSocket(AF_PACKET, SOCK_RAW, 0, { netns }));
    const context = { subject: `announcement of ${address}`, netns };
    systemCall('sendto', [this.#fd, frame, frame.length, 0, destination, destination.length], context);
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

/** An Ethernet frame with an ARP request for an IPv4 address by its owner (RFC 5227, section 3). */
export function buildGratuitousArp(address: string, mac: string): Buffer {
  const owner = Buffer.concat([macBytes(mac), ipBytes(address)]);
  const request = Buffer.from('0001080006040001', 'hex');
  return Buffer.concat([ethernet(broadcast, mac, ETH_P_ARP), request, owner, Buffer.alloc(6), ipBytes(address)]);
}

/** An Ethernet frame with an unsolicited neighbour advertisement that overrides what others know (RFC 4861, section 7.2.6). */
export function buildNeighbourAdvertisement(address: string, mac: string): Buffer {
  const target = ipBytes(address);
  const message = Buffer.concat([Buffer.from('8800000020000000', 'hex'), target, Buffer.from([2, 1]), macBytes(mac)]);
  const destination = ipBytes(allNodes);
  message.writeUInt16BE(checksum(target, destination, message), 2);
  const header = Buffer.from([0x60, 0, 0, 0, 0, message.length, 58, 255]);
  return Buffer.concat([ethernet(allNodesMac, mac, ETH_P_IPV6), header, target, destination, message]);
}

function ethernet(destination: string, source: string, etherType: number): Buffer {
  return Buffer.concat([macBytes(destination), macBytes(source), Buffer.from([etherType >> 8, etherType & 0xff])]);
}

/** Checksum of an ICMPv6 message with its pseudo header (RFC 4443, section 2.3). */
function checksum(source: Buffer, destination: Buffer, message: Buffer): number {
  const pseudo = Buffer.concat([source, destination, Buffer.from([0, 0, 0, message.length, 0, 0, 0, 58]), message]);
  let sum = 0;
  for (let i = 0; i < pseudo.length; i += 2) sum += pseudo.readUInt16BE(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
