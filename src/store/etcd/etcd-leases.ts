import { leaseNotFound } from '../lease-book.ts';
import type { StoreSnapshot } from '../store.ts';
import type { EtcdClient } from './etcd-client.ts';
import { etcdError } from './etcd-error.ts';
import { GRPC, GrpcError } from './grpc-error.ts';
import { decodeHeaderOf, decodeLease, encodeLeaseGrant, encodeLeaseId, type LeaseResponse } from './messages.ts';

/** The leases of an etcd, which ends them itself. */
export class EtcdLeases {
  readonly #client: EtcdClient;

  constructor(client: EtcdClient) {
    this.#client = client;
  }

  /** Resolves with the id; etcd gives no lease shorter than some seconds. */
  async grant(ttlSeconds: number): Promise<string> {
    const request = encodeLeaseGrant(ttlSeconds);
    return decodeLease(await this.#client.write('/etcdserverpb.Lease/LeaseGrant', request).catch(rethrow)).id;
  }

  /** Makes a lease of this id, or leaves the one that is there. */
  async ensure(id: string, ttlSeconds: number): Promise<void> {
    try {
      await this.#client.write('/etcdserverpb.Lease/LeaseGrant', encodeLeaseGrant(ttlSeconds, id));
    } catch (error) {
      if (!(error instanceof GrpcError && error.message.includes('lease already exists'))) throw etcdError(error);
    }
  }

  async keepAlive(id: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<LeaseResponse>();
    using _stream = await this.#client.stream('/etcdserverpb.Lease/LeaseKeepAlive', encodeLeaseId(id), {
      onMessage: (message) => resolve(decodeLease(message)),
      onEnd: (error) => reject(etcdError(error)),
    });
    if ((await promise).ttl <= 0) throw leaseNotFound(id);
  }

  /** Ends the lease, which may have ended already; resolves with etcd's revision afterwards. */
  async revoke(id: string): Promise<number> {
    try {
      return decodeHeaderOf(await this.#client.read('/etcdserverpb.Lease/LeaseRevoke', encodeLeaseId(id))).revision;
    } catch (error) {
      if (error instanceof GrpcError && error.grpcCode === GRPC.notFound) return 0;
      throw etcdError(error);
    }
  }

  /** Those of `ids` that exist, with the time to live that they were granted. */
  async list(ids: ReadonlySet<string>): Promise<StoreSnapshot['leases']> {
    const leases = await Promise.all([...ids].map((id) => this.#find(id)));
    return leases.filter(({ ttlSeconds }) => ttlSeconds > 0);
  }

  async #find(id: string): Promise<StoreSnapshot['leases'][number]> {
    const request = encodeLeaseId(id);
    const found = decodeLease(await this.#client.read('/etcdserverpb.Lease/LeaseTimeToLive', request).catch(rethrow));
    return { id, ttlSeconds: found.ttl > 0 ? found.grantedTtl : 0 };
  }
}

function rethrow(error: unknown): never {
  throw etcdError(error);
}
