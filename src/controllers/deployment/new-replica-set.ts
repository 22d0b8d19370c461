import type { Deployment, PodTemplateSpec, ReplicaSet } from '../../kube/generated/types.ts';
import { controllerReferenceTo } from '../../kube/owner-references.ts';
import { resources } from '../../kube/resources.ts';
import { isSemanticallyEqual } from '../../kube/semantic-equality.ts';
import {
  byCreation,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
  maxReplicas,
  REVISION,
  REVISION_HISTORY,
  revisionOf,
  TEMPLATE_HASH,
  wantedReplicas,
} from './deployment-facts.ts';
import { hashTemplate } from './hash-template.ts';

export interface SortedReplicaSets {
  /** The one with the Deployment's template, if there is one. */
  readonly newSet: ReplicaSet | undefined;
  readonly oldSets: readonly ReplicaSet[];
}

/** Finds the ReplicaSet of the Deployment's present template: the oldest, should there be several. */
export function sortReplicaSets(deployment: Deployment, sets: readonly ReplicaSet[]): SortedReplicaSets {
  const wanted = withoutHash(deployment.spec?.template ?? {});
  const newSet = [...sets]
    .sort(byCreation)
    .find(({ spec }) => isSemanticallyEqual(withoutHash(spec?.template ?? {}), wanted));
  return { newSet, oldSets: sets.filter((set) => set !== newSet) };
}

/** The ReplicaSet to create for the present template; `replicas` is how many it may have from the start. */
export function buildReplicaSet(deployment: Deployment, oldSets: readonly ReplicaSet[], replicas: number): ReplicaSet {
  const { name = '', namespace } = deployment.metadata ?? {};
  const { template = {}, selector, minReadySeconds } = deployment.spec ?? {};
  const hash = hashTemplate(template, deployment.status?.collisionCount);
  const labels = { ...template.metadata?.labels, [TEMPLATE_HASH]: hash };
  const annotations = {
    ...inheritedAnnotations(deployment),
    [REVISION]: String(nextRevision(oldSets)),
    ...replicasAnnotations(deployment),
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${name}-${hash}`,
      namespace,
      labels,
      annotations,
      ownerReferences: [controllerReferenceTo(resources.deployments, deployment)],
    },
    spec: {
      replicas,
      ...(minReadySeconds ? { minReadySeconds } : {}),
      selector: { ...selector, matchLabels: { ...selector?.matchLabels, [TEMPLATE_HASH]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}

/** The new ReplicaSet with the revision, annotations and minReadySeconds it should have; the same object if it has them. */
export function refreshReplicaSet(deployment: Deployment, set: ReplicaSet, oldSets: readonly ReplicaSet[]): ReplicaSet {
  const revision = nextRevision(oldSets);
  const before = set.metadata?.annotations ?? {};
  const annotations: Record<string, string> = { ...before, ...inheritedAnnotations(deployment) };
  if (revisionOf(set) < revision) {
    annotations[REVISION] = String(revision);
    const history = [before[REVISION_HISTORY], before[REVISION]].filter((text) => text !== undefined && text !== '');
    if (history.length > 0) annotations[REVISION_HISTORY] = history.join(',');
  }
  const minReadySeconds = deployment.spec?.minReadySeconds ?? 0;
  const same = isSemanticallyEqual(before, annotations) && (set.spec?.minReadySeconds ?? 0) === minReadySeconds;
  if (same) return set;
  return { ...set, metadata: { ...set.metadata, annotations }, spec: { ...set.spec!, minReadySeconds } };
}

/** What a ReplicaSet remembers of its Deployment's size, so that a change of size is told from a rollout. */
export function replicasAnnotations(deployment: Deployment): Readonly<Record<string, string>> {
  return { [DESIRED_REPLICAS]: String(wantedReplicas(deployment)), [MAX_REPLICAS]: String(maxReplicas(deployment)) };
}

function nextRevision(oldSets: readonly ReplicaSet[]): number {
  return Math.max(0, ...oldSets.map(revisionOf)) + 1;
}

const OWN_ANNOTATIONS = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  'deprecated.deployment.rollback.to',
  REVISION,
  REVISION_HISTORY,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
]);

function inheritedAnnotations({ metadata }: Deployment): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(metadata?.annotations ?? {}).filter(([key]) => !OWN_ANNOTATIONS.has(key)));
}

function withoutHash(template: PodTemplateSpec): PodTemplateSpec {
  const { [TEMPLATE_HASH]: _hash, ...labels } = template.metadata?.labels ?? {};
  return { ...template, metadata: { ...template.metadata, labels } };
}
