import type {
  ControllerRevision,
  PersistentVolumeClaim,
  Pod,
  StatefulSet,
  Volume,
} from '../../kube/generated/types.ts';
import { controllerReferenceTo } from '../../kube/owner-references.ts';
import { resources } from '../../kube/resources.ts';
import { buildPodFromTemplate } from '../pods/build-pod.ts';
import { REVISION_HASH, templateOf } from '../revisions/controller-revisions.ts';

/** Name of the pod with this ordinal. */
export function podNameOf(set: StatefulSet, ordinal: number): string {
  return `${set.metadata?.name}-${ordinal}`;
}

/** The ordinal in a pod's name; undefined when the name is not of this set's form. */
export function ordinalOf(set: StatefulSet, pod: Pod): number | undefined {
  const match = /^(.*)-(0|[1-9]\d*)$/.exec(pod.metadata?.name ?? '');
  return match?.[1] === set.metadata?.name ? Number(match?.[2]) : undefined;
}

/** The pod of an ordinal in one revision: with a name that stays, its host name and its claims. */
export function buildStatefulPod(set: StatefulSet, revision: ControllerRevision, ordinal: number): Pod {
  const name = podNameOf(set, ordinal);
  const pod = buildPodFromTemplate({
    template: templateOf(revision),
    namespace: set.metadata?.namespace ?? '',
    owner: controllerReferenceTo(resources.statefulSets, set),
    name,
    labels: {
      [REVISION_HASH]: revision.metadata?.name ?? '',
      'statefulset.kubernetes.io/pod-name': name,
      'apps.kubernetes.io/pod-index': String(ordinal),
    },
  });
  const { serviceName } = set.spec ?? {};
  const volumes = volumesOf(set, ordinal, pod.spec?.volumes ?? []);
  const identity = { hostname: name, ...(serviceName ? { subdomain: serviceName } : {}) };
  return { ...pod, spec: { ...pod.spec!, ...identity, ...(volumes.length > 0 ? { volumes } : {}) } };
}

/** The claims that an ordinal's pod uses; they stay when the pod goes. */
export function buildClaims(set: StatefulSet, ordinal: number): readonly PersistentVolumeClaim[] {
  return (set.spec?.volumeClaimTemplates ?? []).map((template) => ({
    ...template,
    metadata: {
      ...template.metadata,
      name: claimName(set, template, ordinal),
      namespace: set.metadata?.namespace,
      labels: { ...template.metadata?.labels, ...set.spec?.selector?.matchLabels },
    },
  }));
}

function volumesOf(set: StatefulSet, ordinal: number, given: readonly Volume[]): readonly Volume[] {
  const claims = (set.spec?.volumeClaimTemplates ?? []).map((template) => ({
    name: template.metadata?.name ?? '',
    persistentVolumeClaim: { claimName: claimName(set, template, ordinal) },
  }));
  return [...claims, ...given.filter(({ name }) => !claims.some((claim) => claim.name === name))];
}

function claimName(set: StatefulSet, { metadata }: PersistentVolumeClaim, ordinal: number): string {
  return `${metadata?.name}-${podNameOf(set, ordinal)}`;
}
