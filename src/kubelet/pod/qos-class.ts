import type { Container, Pod } from '../../kube/generated/types.ts';

/** Quality of service as Kubernetes classes pods. */
export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

const COUNTED = ['cpu', 'memory'] as const;

/** The QoS class of a pod from the cpu and memory of its containers: limits that equal requests everywhere, some, or none. */
export function qosClass(pod: Pod): QosClass {
  const containers: readonly Container[] = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
  const all = pod.spec?.resources ? [{ resources: pod.spec.resources }] : containers;
  const isSet = all.some(({ resources }) =>
    COUNTED.some((name) => isPositive(resources?.requests?.[name]) || isPositive(resources?.limits?.[name])),
  );
  if (!isSet) return 'BestEffort';
  const isGuaranteed = all.every(({ resources }) =>
    COUNTED.every((name) => {
      const limit = resources?.limits?.[name];
      return isPositive(limit) && (resources?.requests?.[name] ?? limit) === limit;
    }),
  );
  return isGuaranteed ? 'Guaranteed' : 'Burstable';
}

function isPositive(quantity: string | undefined): boolean {
  return quantity !== undefined && /[1-9]/.test(quantity);
}
