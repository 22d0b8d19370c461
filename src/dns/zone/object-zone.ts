import type { Clock } from '../../kube/clock.ts';
import { type LabelRequirement, matchesRequirements, parseLabelSelector } from '../../kube/label-selector.ts';
import { type KubeObject, type ResourceType, resources } from '../../kube/resources.ts';
import { type Change, feedChange, serviceImports } from './cluster-feed.ts';
import { ClusterState } from './cluster-state.ts';
import { ClusterSource, type ZoneProvider, type ZoneSelection } from './cluster-zone.ts';
import { PackedObjects } from './packed-objects.ts';

interface Feed {
  readonly source: ClusterSource;
  readonly accepts: (type: ResourceType, object: KubeObject) => boolean;
}

const served: ReadonlyMap<string, ResourceType> = new Map(
  [resources.namespaces, resources.services, resources.endpointSlices, resources.pods, serviceImports].map(
    (type: ResourceType) => [type.kind, type],
  ),
);

/** The zones of a set of objects that is replaced as a whole, such as the contents of a file; only differences cost work. */
export class ObjectZone implements ZoneProvider {
  readonly #clock: Clock;
  readonly #feeds = new Map<string, Feed>();
  #objects: PackedObjects;

  constructor(clock: Clock, objects: readonly KubeObject[] = []) {
    this.#clock = clock;
    this.#objects = PackedObjects.of(objects);
  }

  /** Takes these objects instead of the ones before; kinds that DNS does not know are ignored. */
  replace(objects: PackedObjects | readonly KubeObject[]): void {
    const previous = this.#objects;
    const next = objects instanceof PackedObjects ? objects : PackedObjects.of(objects);
    this.#objects = next;
    if (this.#feeds.size === 0) return;
    for (const id of previous.ids()) if (!next.has(id)) this.#tell(previous.get(id), undefined);
    for (const id of next.ids()) if (!next.agrees(previous, id)) this.#tell(previous.get(id), next.get(id));
  }

  source(selection: ZoneSelection): ClusterSource {
    const key = JSON.stringify(selection);
    const known = this.#feeds.get(key);
    if (known !== undefined) return known.source;
    const source = new ClusterSource(new ClusterState(() => this.#clock.now()));
    const feed = { source, accepts: acceptor(selection) };
    this.#feeds.set(key, feed);
    for (const current of this.#objects) tell(feed, { previous: undefined, current });
    source.state.markSynced();
    return source;
  }

  #tell(previous: KubeObject | undefined, current: KubeObject | undefined): void {
    for (const feed of this.#feeds.values()) tell(feed, { previous, current });
  }
}

function tell({ source, accepts }: Feed, change: Change<KubeObject>): void {
  const type = served.get((change.current ?? change.previous)?.kind ?? '');
  if (type === undefined) return;
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
