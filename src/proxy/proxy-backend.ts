import type { Family } from '../netfilter/runner.ts';
import type { NodeNetwork } from './facts/node-network.ts';
import type { SelectedPort } from './facts/select-endpoints.ts';

/** All that the rules of one node and family are built from. */
export interface ProxyState {
  readonly family: Family;
  readonly node: NodeNetwork;
  /** By ServicePort key. */
  readonly ports: ReadonlyMap<string, SelectedPort>;
}

/** A ServicePort whose rules the kernel refused: it is left out, everything else is applied. */
export interface QuarantinedPort {
  readonly key: string;
  readonly cause: unknown;
}

/** What a sync did. */
export interface SyncReport {
  readonly kind: 'full' | 'partial' | 'nothing';
  readonly quarantined: readonly QuarantinedPort[];
  /** ServicePorts that shall preserve clients' addresses, and endpoints of which see the node's all the same. */
  readonly hidingClients?: readonly QuarantinedPort[];
  /** Why a first attempt was refused; what this report says was reached another way. */
  readonly recoveredFrom?: { readonly attempt: 'partial' | 'full'; readonly cause: unknown };
  /** What keeps objects that no rule leads to any more from being deleted; it is tried again with the next sync. */
  readonly cleanupFailure?: unknown;
  /** Rules (iptables) or objects (nftables) that now exist, and that this sync wrote, by table. */
  readonly rules: Readonly<Record<string, { readonly total: number; readonly written: number }>>;
}

/**
 * One way to put rules into a kernel, for one node and family: a pure `build...` from ProxyState to a ruleset as data, and
 * this thin syncer that knows what it applied last and writes the difference through a runner.
 */
export interface ProxyBackend {
  readonly family: Family;
  /**
   * Makes the kernel agree with `state`. `changed` names the keys that may differ from the last successful call; 'all' asks
   * for a full rewrite. Rejects with KernelCommandError or TransactionError and keeps what it knew, so that the caller retries with 'all'.
   */
  sync(state: ProxyState, changed: ReadonlySet<string> | 'all'): Promise<SyncReport>;
  /** Resolves with false when somebody removed our rules behind our back: the caller then asks for a full sync. */
  isIntact(): Promise<boolean>;
  /** Removes everything that a proxy of this mode and family ever wrote; foreign rules stay. */
  cleanup(): Promise<void>;
}
