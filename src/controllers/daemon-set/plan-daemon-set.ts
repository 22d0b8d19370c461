import type { DaemonSet, DaemonSetStatus, Node, Pod } from '../../kube/generated/types.ts';
import { resolveIntOrPercent } from '../pods/int-or-percent.ts';
import { isPodReady, isPodTerminating, untilAvailable } from '../pods/pod-facts.ts';
import { REVISION_HASH } from '../revisions/controller-revisions.ts';
import { daemonOn, nodeOf } from './daemon-nodes.ts';

export interface DaemonSetFacts {
  readonly set: DaemonSet;
  readonly pods: readonly Pod[];
  readonly nodes: readonly Node[];
  /** Value of the label controller-revision-hash of the present template. */
  readonly hash: string;
  readonly now: number;
}

export interface DaemonSetPlan {
  /** Names of nodes that need a pod. */
  readonly create: readonly string[];
  readonly remove: readonly Pod[];
}

/** What to create and delete: one pod on each node that wants one, old pods exchanged within maxUnavailable or maxSurge. */
export function planDaemonSet(facts: DaemonSetFacts): DaemonSetPlan {
  const { set, nodes } = facts;
  if (set.metadata?.deletionTimestamp !== undefined) return { create: [], remove: [] };
  const byNode = groupByNode(facts.pods);
  const create: string[] = [];
  const remove: Pod[] = [];
  const names = new Set(nodes.map(({ metadata }) => metadata?.name ?? ''));
  for (const node of nodes) {
    const name = node.metadata?.name ?? '';
    const pods = (byNode.get(name) ?? []).filter((pod) => !isPodTerminating(pod));
    const { run, stay } = daemonOn(node, set.spec?.template.spec ?? { containers: [] });
    const failed = pods.filter(({ status }) => status?.phase === 'Failed' || status?.phase === 'Succeeded');
    remove.push(...(stay ? failed : pods));
    const alive = pods.filter((pod) => !failed.includes(pod));
    if (run && alive.length === 0 && (byNode.get(name) ?? []).length === failed.length) create.push(name);
    if (stay) remove.push(...surplus(alive, facts));
  }
  remove.push(
    ...facts.pods.filter((pod) => !names.has(nodeOf(pod) ?? '') && !pod.spec?.nodeName && !isPodTerminating(pod)),
  );
  const update = planUpdate(facts, byNode);
  return { create: [...create, ...update.create], remove: [...new Set([...remove, ...update.remove])] };
}

// Two pods on a node: the old one with maxSurge while the new one is not available yet, else the younger goes.
function surplus(pods: readonly Pod[], facts: DaemonSetFacts): readonly Pod[] {
  if (pods.length < 2) return [];
  const current = pods.filter((pod) => isCurrent(pod, facts));
  if (surgeOf(facts) > 0 && current.length > 0 && current.length < pods.length) {
    return current.some((pod) => isAvailable(pod, facts)) ? pods.filter((pod) => !current.includes(pod)) : [];
  }
  return [...pods]
    .sort((a, b) => ((a.metadata?.creationTimestamp ?? '') < (b.metadata?.creationTimestamp ?? '') ? -1 : 1))
    .slice(1);
}

function planUpdate(facts: DaemonSetFacts, byNode: ReadonlyMap<string, readonly Pod[]>): DaemonSetPlan {
  const { set } = facts;
  if (set.spec?.updateStrategy?.type === 'OnDelete') return { create: [], remove: [] };
  const wanted = facts.nodes.filter((node) => daemonOn(node, set.spec?.template.spec ?? { containers: [] }).run);
  const places = wanted.map(({ metadata }) => ({
    name: metadata?.name ?? '',
    pods: byNode.get(metadata?.name ?? '') ?? [],
  }));
  const outdated = places.filter(
    ({ pods }) => pods.length === 1 && !isPodTerminating(pods[0]!) && !isCurrent(pods[0]!, facts),
  );
  const surge = surgeOf(facts);
  if (surge > 0) {
    const surging = places.filter(({ pods }) => pods.length > 1).length;
    return { create: outdated.slice(0, Math.max(0, surge - surging)).map(({ name }) => name), remove: [] };
  }
  const { maxUnavailable } = set.spec?.updateStrategy?.rollingUpdate ?? {};
  const allowed = Math.max(1, resolveIntOrPercent(maxUnavailable, { total: wanted.length, round: 'up', fallback: 1 }));
  const down = places.filter(
    ({ pods }) => !pods.some((pod) => !isPodTerminating(pod) && isAvailable(pod, facts)),
  ).length;
  const old = outdated.map(({ pods }) => pods[0]!);
  const dead = old.filter((pod) => !isAvailable(pod, facts));
  const alive = old.filter((pod) => isAvailable(pod, facts));
  return { create: [], remove: [...dead, ...alive.slice(0, Math.max(0, allowed - down))] };
}

function surgeOf({ set, nodes }: DaemonSetFacts): number {
  const { maxSurge } = set.spec?.updateStrategy?.rollingUpdate ?? {};
  return resolveIntOrPercent(maxSurge, { total: nodes.length, round: 'up', fallback: 0 });
}

function isCurrent({ metadata }: Pod, { hash }: DaemonSetFacts): boolean {
  return metadata?.labels?.[REVISION_HASH] === hash;
}

function isAvailable(pod: Pod, { set, now }: DaemonSetFacts): boolean {
  return untilAvailable(pod, set.spec?.minReadySeconds ?? 0, now) === 0;
}

function groupByNode(pods: readonly Pod[]): ReadonlyMap<string, readonly Pod[]> {
  return Map.groupBy(pods, (pod) => nodeOf(pod) ?? '');
}

/** The status, and in how many milliseconds it changes by itself. */
export function buildDaemonSetStatus(facts: DaemonSetFacts): {
  readonly status: DaemonSetStatus;
  readonly changesIn: number | undefined;
} {
  const { set, nodes, pods, now } = facts;
  const byNode = groupByNode(pods.filter((pod) => !isPodTerminating(pod)));
  const template = set.spec?.template.spec ?? { containers: [] };
  const places = nodes.map((node) => ({
    ...daemonOn(node, template),
    pods: byNode.get(node.metadata?.name ?? '') ?? [],
  }));
  const wanted = places.filter(({ run }) => run);
  const count = (test: (pod: Pod) => boolean): number => wanted.filter((place) => place.pods.some(test)).length;
  const waits = pods
    .map((pod) => untilAvailable(pod, set.spec?.minReadySeconds ?? 0, now) ?? 0)
    .filter((wait) => wait > 0);
  const available = count((pod) => isAvailable(pod, facts));
  return {
    status: {
      currentNumberScheduled: count(() => true),
      desiredNumberScheduled: wanted.length,
      numberMisscheduled: places.filter((place) => !place.run && place.pods.length > 0).length,
      numberReady: count(isPodReady),
      updatedNumberScheduled: count((pod) => isCurrent(pod, facts)),
      numberAvailable: available,
      numberUnavailable: wanted.length - available,
      observedGeneration: set.metadata?.generation,
    },
    changesIn: waits.length > 0 ? Math.min(...waits) : undefined,
  };
}
