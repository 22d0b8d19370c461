import { encodeSnapshot } from '../../store/snapshot/encode-snapshot.ts';
import type { Store } from '../../store/store.ts';
import { readKept } from '../kept-cluster.ts';
import type { StartSpec } from '../start-spec.ts';
import { systemClock } from './system-clock.ts';

/** The bytes of a snapshot file of a cluster: all that its store holds now, and how the cluster was made. */
export async function snapshotOf(store: Store, { config, paths }: StartSpec): Promise<AsyncIterable<Uint8Array>> {
  const barrier = store.barrier();
  if (barrier) await barrier;
  const takenAt = new Date(systemClock.now()).toISOString();
  const about = { requested: config, config, ...readKept(paths) };
  return encodeSnapshot(await store.snapshot(), { engine: store.engine, takenAt, about });
}
