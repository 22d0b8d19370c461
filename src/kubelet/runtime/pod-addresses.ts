import { isIPv6 } from 'node:net';
import { TowtankError } from '../../errors/towtank-error.ts';

/** Where pods get their addresses from: one of each of the node's podCIDRs. */
export interface PodAddressPool {
  /** One address per CIDR, in their order. Throws ERR_RANGE_FULL and keeps nothing when one of them is used up. */
  allocate(): readonly string[];
  release(addresses: readonly string[]): void;
}

// The network itself and the gateway that CNI plugins put on the node.
const RESERVED = 2n;

/** Hands out the addresses of podCIDRs one after the other, as the host-local plugin: a freed one comes back last. */
export class PodAddresses implements PodAddressPool {
  readonly #ranges: readonly Range[];

  constructor(podCIDRs: readonly string[]) {
    this.#ranges = podCIDRs.map((cidr) => new Range(cidr));
  }

  allocate(): readonly string[] {
    const taken: string[] = [];
    try {
      for (const range of this.#ranges) taken.push(range.take());
    } catch (error) {
      this.release(taken);
      throw error;
    }
    return taken;
  }

  release(addresses: readonly string[]): void {
    for (const [i, address] of addresses.entries()) this.#ranges[i]?.free(address);
  }
}

class Range {
  readonly #cidr: string;
  readonly #base: bigint;
  readonly #size: bigint;
  readonly #isV6: boolean;
  readonly #used = new Set<string>();
  #next = RESERVED;

  constructor(cidr: string) {
    const [address = '', length = ''] = cidr.split('/');
    this.#cidr = cidr;
    this.#isV6 = isIPv6(address);
    const hostBits = BigInt((this.#isV6 ? 128 : 32) - Number(length));
    // The last address of an IPv4 range is its broadcast address.
    this.#size = (1n << hostBits) - (this.#isV6 ? 0n : 1n);
    this.#base = ((this.#isV6 ? parseIPv6(address) : parseIPv4(address)) >> hostBits) << hostBits;
  }

  take(): string {
    const free = this.#size - RESERVED - BigInt(this.#used.size);
    if (free <= 0n) {
      throw new TowtankError({
        code: 'ERR_RANGE_FULL',
        message: `no IP addresses available in range set: ${this.#cidr}`,
        hint: 'Delete pods on this node or give the cluster a larger podCIDR per node.',
      });
    }
    for (;;) {
      const address = this.#print(this.#base + this.#next);
      this.#next = this.#next + 1n < this.#size ? this.#next + 1n : RESERVED;
      if (this.#used.has(address)) continue;
      this.#used.add(address);
      return address;
    }
  }

  free(address: string): void {
    this.#used.delete(address);
  }

  #print(value: bigint): string {
    return this.#isV6 ? printIPv6(value) : printIPv4(value);
  }
}

function parseIPv4(address: string): bigint {
  return address.split('.').reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

function printIPv4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
}

function parseIPv6(address: string): bigint {
  const [head = '', tail] = address.split('::');
  const words = (text: string): readonly string[] => (text === '' ? [] : text.split(':'));
  const before = words(head);
  const after = tail === undefined ? [] : words(tail);
  const zeros = Array.from({ length: tail === undefined ? 0 : 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after].reduce((value, word) => (value << 16n) | BigInt(`0x${word}`), 0n);
}

function printIPv6(value: bigint): string {
  const words = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16));
  // URL prints IPv6 addresses in their one canonical form (RFC 5952).
  return new URL(`http://[${words.join(':')}]`).hostname.slice(1, -1);
}
