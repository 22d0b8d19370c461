import type { Candidate } from '../balancer.ts';
import { COUNTER } from '../counters.ts';
import { EAGAIN, ENOBUFS, MSG_DONTWAIT } from './constants.ts';
import type { Handler } from './poller.ts';
import type { UdpListener } from './udp-listener.ts';

/** The datagrams between one client and its endpoint. */
export class UdpFlow implements Handler {
  readonly key: string | number;
  /** Address of the client as the kernel has it. */
  readonly client: Buffer;
  readonly fd: number;
  readonly candidate: Candidate;
  readonly startedAt: number;
  /** Which datagrams of the batch at hand go to this flow's endpoint. */
  readonly gathered: number[] = [];
  lastAt: number;
  bytesIn = 0;
  bytesOut = 0;
  /** False once the flow has ended. */
  isOpen = true;
  readonly #listener: UdpListener;

  constructor(
    listener: UdpListener,
    candidate: Candidate,
    { key, client, fd }: Pick<UdpFlow, 'key' | 'client' | 'fd'>,
  ) {
    this.#listener = listener;
    this.candidate = candidate;
    this.key = key;
    this.client = client;
    this.fd = fd;
    this.startedAt = listener.engine.now;
    this.lastAt = this.startedAt;
  }

  onEvents(): void {
    const { engine, batches, opened } = this.#listener;
    const { replies } = batches;
    const { first, room } = batches.roomForReplies(this.#listener);
    replies.prepare(first, room);
    const count = engine.system.recvmmsg(this.fd, replies.header(first), room, MSG_DONTWAIT, null);
    if (count < 0) {
      this.sendFailed(engine.system.errno());
      return;
    }
    let bytes = 0;
    for (let index = first; index < first + count; index++) {
      const length = replies.lengthOf(index);
      replies.setLength(index, length);
      replies.setName(index, this.client);
      bytes += length;
    }
    batches.addReplies(this.#listener, count);
    this.lastAt = engine.now;
    this.bytesOut += bytes;
    opened.counters[COUNTER.bytesOut]! += bytes;
    opened.counters[COUNTER.datagramsOut]! += count;
  }

  /** A call on the flow's socket failed: full buffers lose datagrams, anything else is what ICMP said of the endpoint. */
  sendFailed(errno: number): void {
    if (errno !== EAGAIN && errno !== ENOBUFS) this.#listener.refused(this);
  }
}
