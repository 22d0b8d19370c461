import type { MessageWriter } from '../netlink/message-writer.ts';
import * as nf from './constants.ts';
import { littleEndian } from './encode-value.ts';

/** Writes the expressions of one rule: the instructions of nf_tables. Attribute numbers are those of each expression. */
export class ExpressionWriter {
  readonly #w: MessageWriter;

  constructor(writer: MessageWriter) {
    this.#w = writer;
  }

  /** Loads bytes of the network (1) or transport (2) header. */
  payload(load: { readonly base: 1 | 2; readonly offset: number; readonly length: number }, register: number): void {
    this.#expression('payload', () => {
      this.#numbers([register, load.base, load.offset, load.length]);
    });
  }

  /** Loads a meta key: 3 mark, 6 iifname, 7 oifname, 16 l4proto. */
  meta(key: number, register: number): void {
    this.#expression('meta', () => this.#numbers([register, key]));
  }

  /** Sets the packet's mark from a register. */
  setMark(register: number): void {
    this.#expression('meta', () => {
      this.#w.attributeU32Network(2, 3);
      this.#w.attributeU32Network(3, register);
    });
  }

  /** Loads a conntrack key: 0 state, 2 status. */
  conntrack(key: number, register: number): void {
    this.#expression('ct', () => this.#numbers([register, key]));
  }

  /** Loads the type of the source (1) or destination (2) address. */
  addressType(side: 1 | 2, register: number): void {
    this.#expression('fib', () => this.#numbers([register, 3, side]));
  }

  /** register = (register & mask) ^ flip */
  bitwise(register: number, mask: Uint8Array, flip: Uint8Array): void {
    this.#expression('bitwise', () => {
      this.#numbers([register, register, mask.length]);
      this.#value(4, mask);
      this.#value(5, flip);
    });
  }

  /** Ends the rule unless the register equals (0) or differs from (1) the value. */
  compare(register: number, operation: 0 | 1, value: Uint8Array): void {
    this.#expression('cmp', () => {
      this.#numbers([register, operation]);
      this.#value(3, value);
    });
  }

  /** Ends the rule unless (register & bits) differs from 0 (`any`) or equals it (`none`). */
  testBits(register: number, bits: number, wanted: 'any' | 'none'): void {
    this.bitwise(register, littleEndian(bits), littleEndian(0));
    this.compare(register, wanted === 'any' ? 1 : 0, littleEndian(0));
  }

  /** Draws a number. */
  number(
    generator: { readonly mode: 'random' | 'inc'; readonly modulus: number; readonly offset: number },
    register: number,
  ): void {
    this.#expression('numgen', () => {
      this.#numbers([register, generator.modulus, generator.mode === 'random' ? 1 : 0, generator.offset]);
    });
  }

  /** Turns a 32-bit number into network order, as interval sets want it. */
  toNetworkOrder(register: number): void {
    this.#expression('byteorder', () => this.#numbers([register, register, 1, 4, 4]));
  }

  /** Looks the registers up in a set or map; a miss (a hit, when inverted) ends the rule. */
  lookup(lookup: {
    readonly set: string;
    readonly id: number | undefined;
    readonly key: number;
    readonly result?: number;
    readonly inverted?: boolean;
  }): void {
    this.#expression('lookup', () => {
      this.#w.attributeString(1, lookup.set);
      this.#w.attributeU32Network(2, lookup.key);
      if (lookup.result !== undefined) this.#w.attributeU32Network(3, lookup.result);
      if (lookup.id !== undefined) this.#w.attributeU32Network(4, lookup.id);
      if (lookup.inverted) this.#w.attributeU32Network(5, 1);
    });
  }

  /** Adds the register to a dynamic set or renews it there. */
  update(set: string, key: number): void {
    this.#expression('dynset', () => {
      this.#w.attributeString(1, set);
      this.#w.attributeU32Network(3, 1);
      this.#w.attributeU32Network(4, key);
    });
  }

  /** Puts a constant into a register. */
  constant(register: number, value: Uint8Array): void {
    this.#expression('immediate', () => {
      this.#w.attributeU32Network(1, register);
      this.#value(2, value);
    });
  }

  /** Ends the rule with the verdict that `write` writes. */
  verdict(write: (w: MessageWriter) => void): void {
    this.#expression('immediate', () => {
      this.#w.attributeU32Network(1, nf.NFT_REG_VERDICT);
      this.#w.nest(nf.NLA_F_NESTED | 2, () => write(this.#w));
    });
  }

  /** Translates the destination to address and port in registers; family 2 or 10. */
  dnat(family: number, address: number, port: number): void {
    this.#expression('nat', () => {
      this.#numbers([1, family, address]);
      this.#w.attributeU32Network(5, port);
    });
  }

  masquerade(fullyRandom: boolean): void {
    this.#expression('masq', () => {
      if (fullyRandom) this.#w.attributeU32Network(1, 0x10);
    });
  }

  /** Type 0 with an ICMP code of the family, type 2 with one of nft's own for both. */
  reject(type: number, code: number): void {
    this.#expression('reject', () => {
      this.#w.attributeU32Network(1, type);
      this.#w.attributeU8(2, code);
    });
  }

  counter(): void {
    this.#expression('counter', () => {});
  }

  #expression(name: string, content: () => void): void {
    const start = this.#w.openNest(nf.NLA_F_NESTED | nf.NFTA_LIST_ELEM);
    this.#w.attributeString(nf.NFTA_EXPR_NAME, name);
    this.#w.nest(nf.NLA_F_NESTED | nf.NFTA_EXPR_DATA, content);
    this.#w.closeNest(start);
  }

  // The numbers of most expressions are attributes 1, 2, 3 and so on.
  #numbers(values: readonly number[]): void {
    for (const [index, value] of values.entries()) this.#w.attributeU32Network(index + 1, value);
  }

  #value(type: number, value: Uint8Array): void {
    const start = this.#w.openNest(nf.NLA_F_NESTED | type);
    this.#w.attribute(nf.NFTA_DATA_VALUE, value);
    this.#w.closeNest(start);
  }
}
