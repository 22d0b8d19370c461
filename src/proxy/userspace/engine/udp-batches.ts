import { MSG_DONTWAIT, MSG_NOSIGNAL } from './constants.ts';
import { MessageBatch } from './message-batch.ts';
import type { System } from './system.ts';
import type { UdpListener } from './udp-listener.ts';

const INBOUND = 64;
const REPLIES = 64;
const REPLIES_AT_ONCE = 32;

/** Memory for datagrams that all UDP listeners of a thread use in turn. Answers of many flows leave with one call. */
export class UdpBatches {
  readonly inbound: MessageBatch;
  /** Headers for what is sent on of `inbound`. */
  readonly outbound: MessageBatch;
  readonly replies: MessageBatch;
  readonly #system: System;
  #gathering: UdpListener | undefined;
  #gathered = 0;

  constructor(system: System) {
    this.#system = system;
    this.inbound = new MessageBatch(system, INBOUND);
    this.outbound = new MessageBatch(system, INBOUND);
    this.replies = new MessageBatch(system, REPLIES);
    for (let index = 0; index < INBOUND; index++) this.outbound.setName(index, undefined);
  }

  /** Where a flow of this listener may receive answers into. */
  roomForReplies(listener: UdpListener): { readonly first: number; readonly room: number } {
    if (this.#gathering !== undefined && this.#gathering !== listener) this.flushReplies(this.#gathering);
    if (this.#gathered > REPLIES - REPLIES_AT_ONCE) this.flushReplies(listener);
    return { first: this.#gathered, room: REPLIES_AT_ONCE };
  }

  /** Answers that were received there, and leave at the end of this turn. */
  addReplies(listener: UdpListener, count: number): void {
    this.#gathering = listener;
    this.#gathered += count;
    listener.engine.atEnd(listener);
  }

  /** Sends what was gathered for this listener. A client whose buffers are full loses datagrams, as without a proxy. */
  flushReplies(listener: UdpListener): void {
    if (this.#gathering !== listener) return;
    const { fd } = listener.opened;
    let first = 0;
    while (first < this.#gathered) {
      const count = this.#gathered - first;
      const sent = this.#system.sendmmsg(fd, this.replies.header(first), count, MSG_DONTWAIT | MSG_NOSIGNAL);
      // The first one failed: its client is gone, or there is no room for it.
      first += Math.max(sent, 1);
    }
    this.#gathered = 0;
    this.#gathering = undefined;
  }
}
