import type { Clock } from '../../kube/clock.ts';
import { type LabelRequirement, matchesRequirements, parseLabelSelector } from '../../kube/label-selector.ts';
import { type KubeObject, keyOf, type ResourceType, resources } from '../../kube/resources.ts';
import { feedChange, serviceImports } from './cluster-feed.ts';
import { ClusterState } from './cluster-state.ts';
import { ClusterSource, type ZoneProvider, type ZoneSelection } from './cluster-zone.ts';
import { slimObject } from './slim-object.ts';

interface Feed {
  readonly source: ClusterSource;
  readonly accepts: (type: ResourceType, object: KubeObject) => boolean;
}

interface Kept {
  readonly type: ResourceType;
  readonly text: string;
  /** Until somebody has read it. */
  object: KubeObject | undefined;
}

const served: readonly ResourceType[] = [
  resources.namespaces,
  resources.services,
  resources.endpointSlices,
  resources.pods,
  serviceImports,
];

/** The zones of a set of objects that is replaced as a whole, such as the contents of a file; only differences cost work. */
export class ObjectZone implements ZoneProvider {
  readonly #clock: Clock;
  readonly #feeds = new Map<string, Feed>();
  /** As JSON, which takes a third of what objects take. */
  #objects: ReadonlyMap<string, Kept> = new Map();

  constructor(clock: Clock, objects: readonly KubeObject[] = []) {
    this.#clock = clock;
    this.replace(objects);
  }

  /** Takes these objects instead of the ones before; kinds that DNS does not know are ignored. */
  replace(objects: readonly KubeObject[]): void {
    const next = new Map<string, Kept>();
    for (const object of objects) {
      const type = served.find(({ kind }) => kind === object.kind);
      if (type === undefined) continue;
      const slim = slimObject(object);
      next.set(`${type.kind} ${keyOf(object)}`, { type, text: JSON.stringify(slim), object: slim });
    }
    const previous = this.#objects;
    this.#objects = next;
    for (const [key, kept] of previous) if (!next.has(key)) this.#tell(kept, undefined);
    for (const [key, kept] of next) {
      const before = previous.get(key);
      if (before?.text !== kept.text) this.#tell(before, kept);
      else kept.object = undefined;
    }
  }

  source(selection: ZoneSelection): ClusterSource {
    const key = JSON.stringify(selection);
    const known = this.#feeds.get(key);
    if (known !== undefined) return known.source;
    const source = new ClusterSource(new ClusterState(() => this.#clock.now()));
    const feed = { source, accepts: acceptor(selection) };
    this.#feeds.set(key, feed);
    for (const kept of this.#objects.values()) tell(feed, kept.type, { previous: undefined, current: read(kept) });
    source.state.markSynced();
    return source;
  }

  #tell(before: Kept | undefined, after: Kept | undefined): void {
    if (this.#feeds.size === 0) return;
    const { type } = (after ?? before)!;
    const change = { previous: before && read(before), current: after && read(after) };
    for (const feed of this.#feeds.values()) tell(feed, type, change);
  }
}

function read(kept: Kept): KubeObject {
  const { object = JSON.parse(kept.text) as KubeObject } = kept;
  kept.object = undefined;
  return object;
}

function tell(
  { source, accepts }: Feed,
  type: ResourceType,
  change: { readonly previous: KubeObject | undefined; readonly current: KubeObject | undefined },
): void {
  const previous = change.previous !== undefined && accepts(type, change.previous) ? change.previous : undefined;
  const current = change.current !== undefined && accepts(type, change.current) ? change.current : undefined;
  if (previous !== undefined || current !== undefined) feedChange(source.state, type, { previous, current });
}

function acceptor(selection: ZoneSelection): Feed['accepts'] {
  const labels = parseLabelSelector(selection.labels);
  const namespaceLabels = parseLabelSelector(selection.namespaceLabels);
  const holds = (requirements: readonly LabelRequirement[], object: KubeObject): boolean =>
    matchesRequirements(requirements, object.metadata?.labels);
  return (type, object) => {
    if (type.kind === 'Pod' && !selection.pods) return false;
    if (type.kind === 'Namespace' || type.kind === 'ServiceImport') return holds(namespaceLabels, object);
    return holds(labels, object);
  };
}
