import type { KubeClient } from '../../kube/client.ts';
import type { Clock, Random } from '../../kube/clock.ts';
import type { SharedInformers } from '../../kube/informers.ts';
import type { SharedIndexes } from './shared-indexes.ts';

/** A reconcile that failed and will be tried again. */
export interface ControllerFailure {
  /** `deployment`, `endpointslice`, ... */
  readonly controller: string;
  /** Key of the object that was reconciled; empty for what belongs to no object. */
  readonly key: string;
  readonly error: unknown;
}

/** Something that works on its own account. */
export interface Worker {
  /** True when it has nothing to do, nor will have soon without a change. */
  readonly isIdle: boolean;
}

/** What every controller works with. */
export interface ControllerContext {
  readonly client: KubeClient;
  readonly informers: SharedInformers;
  readonly indexes: SharedIndexes;
  readonly clock: Clock;
  readonly random: Random;
  readonly onError: (failure: ControllerFailure) => void;
  /** Resolves when all informers have their first list: before that nothing is decided. */
  readonly synced: Promise<void>;
  /** Every loop joins, so that one can wait until all have done their work. */
  readonly workers: Set<Worker>;
}
