import type { Pod, PodCondition, PodStatus } from '../../kube/generated/types.ts';
import { withFields, withMetadata } from '../machinery/api-object.ts';
import type { Strategy, UpdateStrategy } from '../machinery/strategy.ts';
import { validateEphemeralUpdate, validatePod, validatePodStatus, validatePodUpdate } from '../validation/pod.ts';
import { defineStrategy, keepStatus, raiseGeneration } from './define-strategy.ts';
import { admitPod } from './pod-admission.ts';
import { qosClassOf } from './pod-quality.ts';

/** Pods. */
export const podStrategy: Strategy = defineStrategy<Pod>({
  returnsDeleted: true,
  generation: true,
  create: (pod, context) => withStatus(admitPod(pod, context)),
  validate: (pod) => validatePod(pod),
  update: {
    prepare: (pod, live) => raiseGeneration(keepStatus(pod, live), live),
    validate: (pod, live) => validatePodUpdate(pod, live),
  },
  subresources: {
    status: {
      prepare: (pod, live) => keepObservedGeneration(statusPart(pod, live), live),
      validate: (pod) => validatePodStatus(pod),
    },
    binding: { prepare: (pod) => pod },
    ephemeralcontainers: {
      prepare: (pod, live) => raiseGeneration(ephemeralPart(pod, live), live),
      validate: (pod, live) => validateEphemeralUpdate(pod, live),
    },
    resize: { prepare: (pod, live) => raiseGeneration(resizePart(pod, live), live) },
  } satisfies Record<string, UpdateStrategy<Pod>>,
  gracePeriod: ({ spec, status }, requested) => {
    if (!spec?.nodeName || status?.phase === 'Failed' || status?.phase === 'Succeeded') return 0;
    return requested ?? spec.terminationGracePeriodSeconds ?? 0;
  },
  selectableFields: {
    'spec.nodeName': ({ spec }) => spec?.nodeName ?? '',
    'spec.host': ({ spec }) => spec?.nodeName ?? '',
    'spec.restartPolicy': ({ spec }) => spec?.restartPolicy ?? '',
    'spec.schedulerName': ({ spec }) => spec?.schedulerName ?? '',
    'spec.serviceAccountName': ({ spec }) => spec?.serviceAccountName ?? '',
    'spec.hostNetwork': ({ spec }) => String(spec?.hostNetwork ?? false),
    'status.phase': ({ status }) => status?.phase ?? '',
    'status.podIP': ({ status }) => status?.podIPs?.[0]?.ip ?? status?.podIP ?? '',
    'status.podIPs': ({ status }) => status?.podIPs?.[0]?.ip ?? status?.podIP ?? '',
    'status.nominatedNodeName': ({ status }) => status?.nominatedNodeName ?? '',
  },
});

function withStatus(pod: Pod): Pod {
  const gated: PodStatus =
    pod.spec?.schedulingGates && pod.spec.schedulingGates.length > 0
      ? {
          conditions: [
            {
              type: 'PodScheduled',
              status: 'False',
              reason: 'SchedulingGated',
              message: 'Scheduling is blocked due to non-empty scheduling gates',
              lastProbeTime: null as unknown as undefined,
              lastTransitionTime: null as unknown as undefined,
            },
          ],
        }
      : {};
  return { ...pod, status: { phase: 'Pending', ...gated, qosClass: qosClassOf(pod) } };
}

function statusPart(pod: Pod, live: Pod): Pod {
  const qosClass = pod.status?.qosClass || live.status?.qosClass;
  const restored = withMetadata(pod, { ownerReferences: live.metadata?.ownerReferences });
  return withFields(restored, { spec: live.spec, status: { ...pod.status, ...(qosClass ? { qosClass } : {}) } });
}

// A writer that does not know the field must not clear it.
function keepObservedGeneration(pod: Pod, live: Pod): Pod {
  const { status = {} } = pod;
  const generation = status.observedGeneration ?? live.status?.observedGeneration;
  const rest = [...(live.status?.conditions ?? [])];
  const conditions = status.conditions?.map((condition): PodCondition => {
    const at = rest.findIndex(({ type }) => type === condition.type);
    const [old] = at === -1 ? [] : rest.splice(at, 1);
    const observed = condition.observedGeneration ?? old?.observedGeneration;
    return observed === undefined ? condition : { ...condition, observedGeneration: observed };
  });
  return {
    ...pod,
    status: {
      ...status,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      ...(conditions ? { conditions } : {}),
    },
  };
}

// Everything but the containers that are added is that of the live pod.
function ephemeralPart(pod: Pod, live: Pod): Pod {
  const { ephemeralContainers } = pod.spec ?? {};
  return { ...live, spec: withFields(live.spec!, { ephemeralContainers }), metadata: sharedMetadata(pod, live) };
}

function resizePart(pod: Pod, live: Pod): Pod {
  const resized = new Map((pod.spec?.containers ?? []).map((container) => [container.name, container]));
  const containers = live.spec!.containers.map((container) => {
    const { resources, resizePolicy } = resized.get(container.name) ?? container;
    return withFields(container, { resources, resizePolicy });
  });
  return { ...live, spec: { ...live.spec!, containers }, metadata: sharedMetadata(pod, live) };
}

function sharedMetadata(pod: Pod, live: Pod): Pod['metadata'] {
  return { ...live.metadata, managedFields: pod.metadata?.managedFields };
}
