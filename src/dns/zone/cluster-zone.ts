import type { Clock } from '../../kube/clock.ts';
import type { SharedInformers } from '../../kube/informers.ts';
import { type KubeObject, type ResourceType, resources } from '../../kube/resources.ts';
import { AnswerTable } from './answer-table.ts';
import { feedChange, serviceImports } from './cluster-feed.ts';
import { ClusterState } from './cluster-state.ts';
import type { ZoneOptions } from './zone-options.ts';

/** Which objects a zone is made of. */
export interface ZoneSelection {
  /** Label selector of Services, slices and pods; '' for all. */
  readonly labels: string;
  /** Label selector of namespaces; '' for all. */
  readonly namespaceLabels: string;
  /** Pods are followed only where someone needs them (`pods verified`, autopath). */
  readonly pods: boolean;
  readonly multicluster: boolean;
}

/** One selection's state and the answers built from it, shared by every server that asks for the same. */
export class ClusterSource {
  readonly state: ClusterState;
  readonly #tables = new Map<string, AnswerTable>();

  constructor(state: ClusterState) {
    this.state = state;
  }

  /** The one table of these options. */
  table(options: ZoneOptions): AnswerTable {
    const key = JSON.stringify(options);
    let table = this.#tables.get(key);
    if (table === undefined) {
      table = new AnswerTable({ state: this.state, options });
      this.#tables.set(key, table);
    }
    return table;
  }
}

/** Where servers get the cluster's objects from: an API server, or a file. */
export interface ZoneProvider {
  /** The source of a selection; its state is `synced` once everything is in it. */
  source(selection: ZoneSelection): ClusterSource;
}

/** Pods that a resolver still cares for, as CoreDNS asks the API server. */
const LIVE_PODS = 'status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown';

/** The zones of an API server's objects, built once per selection however many replicas serve them. */
export class ClusterZone implements ZoneProvider {
  readonly #informers: SharedInformers;
  readonly #clock: Clock;
  readonly #sources = new Map<string, ClusterSource>();

  constructor(informers: SharedInformers, clock: Clock) {
    this.#informers = informers;
    this.#clock = clock;
  }

  source(selection: ZoneSelection): ClusterSource {
    const key = JSON.stringify(selection);
    let source = this.#sources.get(key);
    if (source === undefined) {
      source = new ClusterSource(new ClusterState(() => this.#clock.now()));
      this.#sources.set(key, source);
      void this.#follow(source.state, selection);
    }
    return source;
  }

  async #follow(state: ClusterState, selection: ZoneSelection): Promise<void> {
    const labelSelector = selection.labels === '' ? undefined : selection.labels;
    const namespaceLabels = selection.namespaceLabels === '' ? undefined : selection.namespaceLabels;
    const followed = [
      this.#feed(state, resources.namespaces, { labelSelector: namespaceLabels }),
      this.#feed(state, resources.services, { labelSelector }),
      this.#feed(state, resources.endpointSlices, { labelSelector }),
    ];
    if (selection.pods) followed.push(this.#feed(state, resources.pods, { labelSelector, fieldSelector: LIVE_PODS }));
    if (selection.multicluster) {
      followed.push(this.#feed(state, serviceImports, { labelSelector: namespaceLabels }));
    }
    await Promise.all(followed);
    state.markSynced();
  }

  #feed<T extends KubeObject>(
    state: ClusterState,
    type: ResourceType<T>,
    options: { readonly labelSelector?: string | undefined; readonly fieldSelector?: string | undefined },
  ): Promise<void> {
    const informer = this.#informers.for(type, options);
    informer.onChange((change) => feedChange(state, type, change));
    return informer.start();
  }
}
