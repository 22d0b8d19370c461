import type { Socket } from 'node:net';
import { canonicalAddress, joinHostPort } from '../../../netfilter/address.ts';
import type { Candidate } from '../balancer.ts';
import { canPassAsClient } from '../can-pass-as-client.ts';
import { COUNTER, observeLatency } from '../counters.ts';
import type { ListenAddress } from '../listener.ts';
import { buildProxyHeader } from '../proxy-protocol.ts';
import type { Connection } from '../transport.ts';
import type { PlainContext } from './plain-listener.ts';

/** One client's connection, and the one to its endpoint as soon as an endpoint has answered. */
export class TcpRelay {
  readonly #context: PlainContext;
  readonly #client: Socket;
  readonly #clientAddress: ListenAddress;
  readonly #startedAt: number;
  readonly #ended = Promise.withResolvers<void>();
  readonly #failed: Candidate[] = [];
  #candidate: Candidate | undefined;
  #endpoint: Socket | undefined;
  #timer: Disposable | undefined;
  #attempts = 0;
  #open = 1;
  #lastBytes = 0;

  constructor(client: Socket, context: PlainContext) {
    this.#context = context;
    this.#client = client;
    this.#startedAt = context.clock.now();
    const { remoteAddress = '', remotePort = 0 } = client;
    this.#clientAddress = { host: canonicalAddress(remoteAddress) ?? remoteAddress, port: remotePort };
    context.counters[COUNTER.opened]! += 1;
    client.on('error', () => this.#reset(COUNTER.resetByClient));
    client.on('close', () => this.#oneClosed());
    this.#connect(context.balancer.pick(this.#clientAddress.host, this.#startedAt));
  }

  /** Resolves when both sides are closed. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  describe(): Connection {
    const { listener, clock } = this.#context;
    return {
      node: listener.node,
      protocol: 'tcp',
      service: listener.service,
      client: joinHostPort(this.#clientAddress.host, this.#clientAddress.port),
      endpoint: this.#isConnected ? (this.#candidate?.address ?? '') : '',
      ageSeconds: (clock.now() - this.#startedAt) / 1000,
      bytesIn: this.#client.bytesRead,
      bytesOut: this.#client.bytesWritten,
    };
  }

  /** Resets the connection when its endpoint has left the list. */
  drain(): void {
    if (this.#candidate?.present === false) this.#reset(COUNTER.drained);
  }

  /** Resets both sides. */
  abort(): void {
    this.#client.resetAndDestroy();
    this.#endpoint?.resetAndDestroy();
  }

  get #isConnected(): boolean {
    return this.#endpoint !== undefined && !this.#endpoint.connecting && !this.#endpoint.destroyed;
  }

  #connect(candidate: Candidate | undefined): void {
    const { limits, counters } = this.#context;
    const timeout = limits.connectTimeoutsMs[this.#attempts++];
    const endpoint =
      candidate === undefined || timeout === undefined || this.#client.destroyed ? undefined : this.#dial(candidate);
    if (candidate === undefined || timeout === undefined || endpoint === undefined) {
      if (!this.#client.destroyed) counters[COUNTER.unreachable]! += 1;
      this.#candidate = undefined;
      this.#client.resetAndDestroy();
      return;
    }
    this.#candidate = candidate;
    this.#endpoint = endpoint;
    candidate.active++;
    endpoint.allowHalfOpen = true;
    this.#await(endpoint, candidate, timeout);
  }

  #dial(candidate: Candidate): Socket | undefined {
    const { host } = this.#clientAddress;
    // Where the client's own address cannot be had, the connection comes from the node's.
    return (canPassAsClient(host, candidate) && this.#tryToDial(candidate, host)) || this.#tryToDial(candidate);
  }

  // Undefined, and the reason reported, where no such socket can be made.
  #tryToDial({ ip, port }: Candidate, client?: string): Socket | undefined {
    const { sockets, onError } = this.#context;
    try {
      return sockets.connectTcp({ host: ip, port }, client);
    } catch (error) {
      onError(error);
      return undefined;
    }
  }

  #await(endpoint: Socket, candidate: Candidate, timeout: number): void {
    const { clock, counters } = this.#context;
    const startedAt = clock.now();
    const failed = (): void => {
      endpoint.destroy();
      this.#attemptFailed(candidate);
    };
    const timedOut = (): void => {
      const more = this.#moreTime(candidate);
      if (more === undefined) failed();
      else timer = clock.schedule(more, timedOut);
    };
    let timer = clock.schedule(timeout, timedOut);
    endpoint.once('error', failed);
    endpoint.once('close', () => {
      timer[Symbol.dispose]();
      candidate.active--;
    });
    endpoint.once('connect', () => {
      timer[Symbol.dispose]();
      endpoint.off('error', failed);
      observeLatency(counters, (clock.now() - startedAt) / 1000);
      this.#join(endpoint);
    });
  }

  #attemptFailed(candidate: Candidate): void {
    const { balancer, clock, counters } = this.#context;
    counters[COUNTER.failedAttempts]! += 1;
    this.#failed.push(candidate);
    this.#connect(balancer.pickNext(this.#clientAddress.host, this.#failed, clock.now()));
  }

  // Where there is no other endpoint, the same one is waited for longer; undefined where there is, or the last time-out is over.
  #moreTime(candidate: Candidate): number | undefined {
    const { balancer, limits } = this.#context;
    const isLast = balancer.candidates.every((other) => other === candidate || this.#failed.includes(other));
    return isLast ? limits.connectTimeoutsMs[this.#attempts++] : undefined;
  }

  #join(endpoint: Socket): void {
    const { listener, limits, counters } = this.#context;
    endpoint.setNoDelay(true);
    this.#open++;
    endpoint.on('error', () => this.#reset(COUNTER.resetByEndpoint));
    endpoint.on('close', () => this.#oneClosed());
    if (this.#client.destroyed) {
      endpoint.resetAndDestroy();
      return;
    }
    if (listener.policy.proxyProtocol) endpoint.write(buildProxyHeader(this.#clientAddress, listener.destination));
    carry(this.#client, endpoint, (bytes) => {
      counters[COUNTER.bytesIn]! += bytes;
    });
    carry(endpoint, this.#client, (bytes) => {
      counters[COUNTER.bytesOut]! += bytes;
    });
    if (limits.idleMs > 0) this.#watchIdle();
  }

  #watchIdle(): void {
    const { clock, limits } = this.#context;
    this.#timer = clock.schedule(limits.idleMs, () => {
      const bytes = this.#client.bytesRead + this.#client.bytesWritten;
      if (bytes === this.#lastBytes) this.#reset(COUNTER.idle);
      else this.#watchIdle();
      this.#lastBytes = bytes;
    });
  }

  #reset(counter: number): void {
    if (!this.#client.destroyed || this.#endpoint?.destroyed === false) this.#context.counters[counter]! += 1;
    this.abort();
  }

  #oneClosed(): void {
    this.#open--;
    // A client that went away takes an attempt to connect with it.
    if (this.#endpoint?.connecting === true) this.#endpoint.destroy();
    if (this.#open > 0) return;
    this.#timer?.[Symbol.dispose]();
    this.#context.counters[COUNTER.closed]! += 1;
    this.#ended.resolve();
  }
}

// As pipe() does, without its bookkeeping: what cannot be written stops the reading, and an end is passed on.
function carry(from: Socket, to: Socket, count: (bytes: number) => void): void {
  from.on('data', (chunk: Buffer) => {
    count(chunk.length);
    if (!to.write(chunk)) from.pause();
  });
  to.on('drain', () => from.resume());
  from.on('end', () => to.end());
  from.resume();
}
