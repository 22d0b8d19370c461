import { AF_INET, AF_INET6, AF_PACKET } from './constants.ts';
import { ipBytes } from './ip-bytes.ts';

/** Encodes a `sockaddr_in` (16 bytes) or `sockaddr_in6` (28 bytes) from a literal address and a port. */
export function internetAddress(host: string, port: number): Buffer {
  const address = ipBytes(host);
  const v4 = address.length === 4;
  const out = Buffer.alloc(v4 ? 16 : 28);
  writeFamily(out, v4 ? AF_INET : AF_INET6);
  out.writeUInt16BE(port, 2);
  address.copy(out, v4 ? 4 : 8);
  return out;
}

/** Decodes the port of a `sockaddr_in` or `sockaddr_in6`. */
export function portOf(address: Buffer): number {
  return address.readUInt16BE(2);
}

/** Encodes a `sockaddr_ll`, the address of an AF_PACKET frame: EtherType, interface index, destination MAC. */
export function linkLayerAddress(etherType: number, ifindex: number, mac: Uint8Array): Buffer {
  const out = Buffer.alloc(20);
  writeFamily(out, AF_PACKET);
  out.writeUInt16BE(etherType, 2);
  out.writeInt32LE(ifindex, 4);
  out.writeUInt8(mac.length, 11);
  out.set(mac, 12);
  return out;
}

function writeFamily(out: Buffer, family: number): void {
  out.writeUInt16LE(family, 0);
}
