import { connect } from 'node:net';
import { StoreUnavailableError } from '../store.ts';
import type { EtcdOptions } from './etcd-options.ts';
import { type CallOptions, GrpcChannel, type StreamHandlers } from './grpc-channel.ts';
import { GRPC, GrpcError } from './grpc-error.ts';
import { decodeToken, encodeAuthenticate } from './messages.ts';

const REQUEST_TIMEOUT_MS = 5000;
// etcd refuses at once, instead of keeping the request until it times out, while a member knows no leader.
const HAS_LEADER = { hasleader: 'true' } as const;
const EXPIRED_TOKEN = /invalid auth token|revision of auth store is old/;

/** Calls a cluster of etcd members: over one connection at a time, which moves on to the next member when it fails. */
export class EtcdClient implements Disposable {
  readonly #options: EtcdOptions;
  readonly #endpoints: readonly URL[];
  #next = 0;
  #channel: Promise<GrpcChannel> | undefined;
  #token: Promise<string> | undefined;
  #closed = false;

  constructor(options: EtcdOptions) {
    this.#options = options;
    this.#endpoints = options.endpoints.map((endpoint) => new URL(endpoint));
  }

  /**
   * Sends a request whose repetition does no harm: it is tried on each member. Rejects with GrpcError for what etcd refuses,
   * StoreUnavailableError when no member answers.
   */
  async read(path: string, request: Uint8Array): Promise<Buffer> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#call(path, request);
      } catch (error) {
        if (!isOutage(error)) throw error;
        if (attempt > this.#endpoints.length) throw unavailable(error, false);
      }
    }
  }

  /** Sends a request that must be done once at most: tried elsewhere only while it surely was not done. Rejects as `read`. */
  async write(path: string, request: Uint8Array): Promise<Buffer> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#call(path, request);
      } catch (error) {
        if (!isOutage(error)) throw error;
        if (error.uncertain || attempt > this.#endpoints.length) throw unavailable(error, error.uncertain);
      }
    }
  }

  /** Opens a stream that begins with one request. Rejects with StoreUnavailableError when no member can be reached. */
  async stream(path: string, request: Uint8Array, handlers: StreamHandlers): Promise<Disposable> {
    const channel = await this.#connected();
    const onEnd = (error: GrpcError): void => {
      this.#judge(channel, error);
      handlers.onEnd(error);
    };
    return channel.stream(path, request, { ...handlers, onEnd, headers: await this.#headers(channel) });
  }

  /** Forgets the token: what it allows is asked anew with the next request. */
  forgetToken(): void {
    this.#token = undefined;
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    // One that does not stand yet has told its own caller.
    this.#channel?.then(
      (channel) => channel[Symbol.dispose](),
      () => {},
    );
  }

  async #call(path: string, request: Uint8Array): Promise<Buffer> {
    const channel = await this.#connected();
    for (let isFirst = true; ; isFirst = false) {
      try {
        return await channel.call(path, request, this.#callOptions(await this.#headers(channel)));
      } catch (error) {
        if (isFirst && isExpiredToken(error)) {
          this.forgetToken();
          continue;
        }
        this.#judge(channel, error);
        throw error;
      }
    }
  }

  #callOptions(headers: CallOptions['headers']): CallOptions {
    return { headers, timeoutMs: this.#options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS };
  }

  async #headers(channel: GrpcChannel): Promise<CallOptions['headers']> {
    const { user } = this.#options;
    if (user === undefined) return HAS_LEADER;
    this.#token ??= channel
      .call('/etcdserverpb.Auth/Authenticate', encodeAuthenticate(user.name, user.password), this.#callOptions({}))
      .then(decodeToken);
    try {
      return { ...HAS_LEADER, token: await this.#token };
    } catch (error) {
      this.forgetToken();
      throw error;
    }
  }

  // A member that does not answer, or has no leader, is left for the next one.
  #judge(channel: GrpcChannel, error: unknown): void {
    if (!isOutage(error)) return;
    channel[Symbol.dispose]();
  }

  async #connected(): Promise<GrpcChannel> {
    if (this.#closed) throw new StoreUnavailableError('the store is closed');
    const known = this.#channel;
    if (known !== undefined) {
      const channel = await known;
      if (channel.isOpen) return channel;
    }
    if (this.#channel === known) this.#open();
    return this.#connected();
  }

  #open(): void {
    const opening = this.#connect();
    this.#channel = opening;
    opening.catch(() => {
      if (this.#channel === opening) this.#channel = undefined;
    });
  }

  async #connect(): Promise<GrpcChannel> {
    const problems: GrpcError[] = [];
    const { dial = connectTcp, tls = {}, clock } = this.#options;
    for (let tried = 0; tried < this.#endpoints.length; tried++) {
      const endpoint = this.#endpoints[this.#next++ % this.#endpoints.length]!;
      try {
        return await GrpcChannel.open({ endpoint, dial, tls, clock });
      } catch (error) {
        if (!(error instanceof GrpcError)) throw error;
        problems.push(error);
      }
    }
    throw new StoreUnavailableError(`etcd cannot be reached: ${problems.map(({ message }) => message).join('; ')}`, {
      hint: 'Look whether it runs, and at the endpoints and certificates of the configuration.',
      cause: problems[0],
    });
  }
}

/** True when another member may answer what this one did not. */
function isOutage(error: unknown): error is GrpcError {
  if (!(error instanceof GrpcError)) return false;
  return error.grpcCode === GRPC.unavailable || error.grpcCode === GRPC.deadlineExceeded;
}

function isExpiredToken(error: unknown): boolean {
  return error instanceof GrpcError && EXPIRED_TOKEN.test(error.message);
}

function unavailable(error: GrpcError, uncertain: boolean): StoreUnavailableError {
  return new StoreUnavailableError(`etcd does not answer: ${error.message}`, {
    uncertain,
    hint: 'Look at the members of etcd: a majority of them must run and reach each other.',
    cause: error,
  });
}

function connectTcp(host: string, port: number): ReturnType<typeof connect> {
  return connect({ host, port, noDelay: true });
}
