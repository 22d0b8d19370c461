import type { Tier } from '../kernel/tier.ts';
import type { ClusterConfig } from './config/cluster-config.ts';
import type { ClusterPaths } from './state-folder.ts';
import type { StoreSpec } from './store-spec.ts';

/** Environment variable with the StartSpec of a cluster without a sandbox, for whoever cleans up after it. */
export const cleaningVariable = 'TOWTANK_CLEAN';

/** What the programs of a loopback cluster are marked with: one start of one cluster. */
export function markOfCluster({ paths, startedAt }: Pick<StartSpec, 'paths' | 'startedAt'>): string {
  return `${paths.folder}@${startedAt}`;
}

/** What the launcher hands to the supervisor, as JSON in the state folder. */
export interface StartSpec {
  readonly config: ClusterConfig;
  readonly paths: ClusterPaths;
  readonly store: StoreSpec;
  readonly tier: Tier;
  /** The port on apiHost of the host whose listening socket is descriptor 3. */
  readonly apiPort: number;
  /** 127.0.0.1, or 0.0.0.0 where others than this machine shall reach the API. */
  readonly apiHost: string;
  /** Further names of the API server in its certificate. */
  readonly apiNames: readonly string[];
  /** Socket on which the launcher waits for StartMessages. */
  readonly startSocket: string;
  /** The cluster ends when the start socket closes: a library's cluster must not outlive it. */
  readonly lifeline: boolean;
  /** YAML to apply before the cluster counts as ready. */
  readonly manifests: readonly string[];
  /** Milliseconds since the epoch when the user's command began. */
  readonly startedAt: number;
}
