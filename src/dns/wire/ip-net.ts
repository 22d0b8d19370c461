import { parseIp } from './ip.ts';

/** An IP network: base address and length of its prefix in bits. */
export interface IpNet {
  readonly address: Uint8Array;
  readonly bits: number;
}

/** Reads `10.0.0.0/8`; a lone address is a network of itself. Undefined for anything else. */
export function parseIpNet(text: string): IpNet | undefined {
  const [host = '', mask, ...more] = text.split('/');
  const address = parseIp(host);
  if (address === undefined || more.length > 0) return undefined;
  const bits = mask === undefined ? address.length * 8 : Number(mask);
  const valid = mask === undefined || (/^\d{1,3}$/.test(mask) && bits <= address.length * 8);
  return valid ? { address, bits } : undefined;
}

/** True when the 4 or 16 bytes are an address inside the network. */
export function ipNetContains({ address, bits }: IpNet, bytes: Uint8Array): boolean {
  if (bytes.length !== address.length) return false;
  for (let bit = 0; bit < bits; bit += 8) {
    const shift = Math.max(0, 8 - (bits - bit));
    if (bytes[bit / 8]! >> shift !== address[bit / 8]! >> shift) return false;
  }
  return true;
}
