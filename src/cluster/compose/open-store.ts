import { UserError } from '../../errors/towtank-error.ts';
import { HostDialer } from '../../kernel/host-sockets.ts';
import { MemoryStore } from '../../store/memory-store.ts';
import type { Store } from '../../store/store.ts';
import type { EtcdSpec, StoreSpec } from '../store-spec.ts';
import { systemClock } from './system-clock.ts';

// Twenty megabytes: the last two thousand changes of pods, far more than a list in pieces or a lost watch needs.
const HISTORY_VALUES = 500_000;

/** Opens the store; `isStarting` lets it acknowledge before it is durable, until `becomeDurable`. Rejects with ERR_STORE_CORRUPT, ERR_STORE_UNAVAILABLE, or ERR_INVALID_CONFIG for an etcd of somebody else. */
export async function openStore(spec: StoreSpec, isStarting = false): Promise<Store> {
  if (spec.engine === 'memory') return new MemoryStore({ clock: systemClock, historyValues: HISTORY_VALUES });
  if (spec.engine === 'etcd') return openEtcd(spec);
  const { SqliteStore } = await import('../../store/sqlite/sqlite-store.ts');
  return SqliteStore.open({ path: spec.path, clock: systemClock, isStarting, historyValues: HISTORY_VALUES });
}

async function openEtcd({ endpoints, prefix, tls, user, addresses, sockets }: EtcdSpec): Promise<Store> {
  const { EtcdStore } = await import('../../store/etcd/etcd-store.ts');
  const dialer = sockets.length === 0 ? undefined : new HostDialer(sockets);
  let turn = 0;
  const dial =
    dialer &&
    ((host: string, port: number) => {
      const known = addresses[host]!;
      return dialer.connect(known[turn++ % known.length]!, port);
    });
  const store = await EtcdStore.open({ endpoints, prefix, tls, user, clock: systemClock, dial });
  const foreign = store.range('/registry/').items.find(({ value }) => value.subarray(0, 4).equals(PROTOBUF));
  if (foreign === undefined) return store;
  await store[Symbol.asyncDispose]();
  throw new UserError({
    code: 'ERR_INVALID_CONFIG',
    message: `spec.store: this etcd is the store of another API server: ${foreign.key} is no JSON`,
    hint: 'give this cluster a prefix of its own (spec.store.prefix), or another etcd',
  });
}

// Kubernetes' own API server writes its objects in protobuf, behind these bytes.
const PROTOBUF = Buffer.from('k8s\0');
