import { type PackedAddress, packSocketAddress, SOCKET_ADDRESS_LENGTH } from '../socket-address.ts';
import type { System } from './system.ts';

// struct mmsghdr of 64-bit Linux: name, namelen, iov, iovlen, control, controllen, flags, and behind the msghdr its len.
const HEADER = 64;
const NAME = 0;
const NAME_LENGTH = 8;
const VECTOR = 16;
const VECTOR_LENGTH = 24;
const LENGTH = 56;
// struct iovec: base, length.
const IOVEC = 16;
const NAME_SPACE = 32;
/** No datagram is longer. */
const DATAGRAM = 1 << 16;

/**
 * Memory for many datagrams at once, as recvmmsg(2) and sendmmsg(2) want it: for each a header, a vector, a name and the bytes.
 * Pages are used only as far as datagrams reach.
 */
export class MessageBatch {
  readonly size: number;
  readonly #headers: DataView;
  readonly #vectors: DataView;
  readonly #names: Buffer;
  readonly #headerAddresses: readonly bigint[];
  readonly #byteAddresses: readonly bigint[];

  constructor(system: System, size: number) {
    this.size = size;
    const headers = system.allocate(size * HEADER);
    const vectors = system.allocate(size * IOVEC);
    const names = system.allocate(size * NAME_SPACE);
    const bytes = system.allocate(size * DATAGRAM);
    this.#headers = new DataView(headers.buffer);
    this.#vectors = new DataView(vectors.buffer);
    this.#names = Buffer.from(names.buffer);
    const each = (start: bigint, step: number): bigint[] =>
      Array.from({ length: size }, (_, index) => start + BigInt(index * step));
    this.#headerAddresses = each(headers.address, HEADER);
    this.#byteAddresses = each(bytes.address, DATAGRAM);
    const nameAddresses = each(names.address, NAME_SPACE);
    const vectorAddresses = each(vectors.address, IOVEC);
    new Uint8Array(headers.buffer).fill(0);
    for (let index = 0; index < size; index++) {
      this.#headers.setBigUint64(index * HEADER + NAME, nameAddresses[index]!, true);
      this.#headers.setBigUint64(index * HEADER + VECTOR, vectorAddresses[index]!, true);
      this.#headers.setUint32(index * HEADER + VECTOR_LENGTH, 1, true);
      this.setBytes(index, this, index);
    }
  }

  /** Address of a header: with it and those behind it, calls take part of the batch. */
  header(index: number): bigint {
    return this.#headerAddresses[index]!;
  }

  /** Makes room for datagrams and names, before they are received. */
  prepare(from: number, count: number): void {
    for (let index = from; index < from + count; index++) {
      this.#vectors.setUint32(index * IOVEC + 8, DATAGRAM, true);
      this.#headers.setUint32(index * HEADER + NAME_LENGTH, SOCKET_ADDRESS_LENGTH, true);
    }
  }

  /** How many bytes a call received or sent. */
  lengthOf(index: number): number {
    return this.#headers.getUint32(index * HEADER + LENGTH, true);
  }

  /** Where a datagram came from. */
  senderOf(index: number): PackedAddress {
    return packSocketAddress(this.#names, index * NAME_SPACE);
  }

  /** A copy of the address from which a datagram came. */
  copyName(index: number): Buffer {
    const at = index * NAME_SPACE;
    const length = this.#names[at] === 2 ? 16 : SOCKET_ADDRESS_LENGTH;
    return Buffer.from(this.#names.subarray(at, at + length));
  }

  /** Addresses a datagram that is to be sent; without a name it goes where its socket is connected to. */
  setName(index: number, name: Uint8Array | undefined): void {
    if (name !== undefined) this.#names.set(name, index * NAME_SPACE);
    this.#headers.setUint32(index * HEADER + NAME_LENGTH, name?.length ?? 0, true);
  }

  /** Says how many of its bytes are to be sent. */
  setLength(index: number, length: number): void {
    this.#vectors.setUint32(index * IOVEC + 8, length, true);
  }

  /** Lets a header send the bytes that another batch received. */
  setBytes(index: number, other: MessageBatch, otherIndex: number): void {
    this.#vectors.setBigUint64(index * IOVEC, other.#byteAddresses[otherIndex]!, true);
  }
}
