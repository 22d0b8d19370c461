import type { Container, Pod } from '../../kube/generated/types.ts';

type QualityOfService = 'Guaranteed' | 'Burstable' | 'BestEffort';
const RESOURCES = ['cpu', 'memory'] as const;

/** status.qosClass, from the requests and limits of all containers. */
export function qosClassOf(pod: Pod): QualityOfService {
  const containers = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
  const some = containers.some(({ resources }) =>
    RESOURCES.some((name) => isSet(resources?.requests?.[name]) || isSet(resources?.limits?.[name])),
  );
  if (!some) return 'BestEffort';
  return containers.every(isGuaranteed) ? 'Guaranteed' : 'Burstable';
}

function isGuaranteed({ resources }: Container): boolean {
  return RESOURCES.every((name) => {
    const limit = resources?.limits?.[name];
    return isSet(limit) && (resources?.requests?.[name] ?? limit) === limit;
  });
}

function isSet(quantity: string | undefined): boolean {
  return quantity !== undefined && !/^0+(\.0*)?[A-Za-z]*$/.test(quantity);
}
