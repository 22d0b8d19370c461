import type { ListenAddress } from './listener.ts';
import { addressBytes } from './socket-address.ts';

const SIGNATURE = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
const VERSION_2_PROXY = 0x21;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;

/**
 * What a TCP connection to an endpoint starts with so that it knows its client: PROXY protocol version 2 of HAProxy
 * (doc/proxy-protocol.txt), without extensions. Both addresses are of one family.
 */
export function buildProxyHeader(client: ListenAddress, destination: ListenAddress): Buffer {
  const source = addressBytes(client.host);
  const target = addressBytes(destination.host);
  const head = Buffer.alloc(4);
  head.writeUInt8(VERSION_2_PROXY, 0);
  head.writeUInt8(source.length === 4 ? TCP_OVER_IPV4 : TCP_OVER_IPV6, 1);
  head.writeUInt16BE(2 * source.length + 4, 2);
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(client.port, 0);
  ports.writeUInt16BE(destination.port, 2);
  return Buffer.concat([SIGNATURE, head, source, target, ports]);
}
