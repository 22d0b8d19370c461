import type { Container, Pod, PodSpec, PodTemplateSpec, Toleration } from '../../kube/generated/types.ts';
import { sameValue } from '../machinery/api-object.ts';
import type { FieldCause } from '../schema/contract.ts';
import { validateAddress } from './addresses.ts';
import { duplicate, forbidden, invalid, invalidEach, notSupported, required } from './field-errors.ts';
import { dns1123Label, dns1123Subdomain } from './names.ts';
import { validateAnnotations, validateLabels } from './object-meta.ts';
import { validateContainers } from './pod-containers.ts';
import { validateDnsConfig, validateDnsPolicy, validateHostNames } from './pod-network.ts';

const RESTART_POLICIES = ['Always', 'OnFailure', 'Never'];
const CHANGEABLE =
  '`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

/** What is wrong with a new pod. */
export function validatePod({ spec }: Pod): FieldCause[] {
  return spec ? validatePodSpec(spec, 'spec') : [required('spec.containers')];
}

/** What is wrong with the template of a workload. */
export function validatePodTemplate({ metadata, spec }: PodTemplateSpec, path: string): FieldCause[] {
  return [
    ...validateLabels(metadata?.labels, `${path}.labels`),
    ...validateAnnotations(metadata?.annotations, `${path}.annotations`),
    ...(spec ? validatePodSpec(spec, `${path}.spec`) : [required(`${path}.spec.containers`)]),
  ];
}

function validatePodSpec(spec: PodSpec, path: string): FieldCause[] {
  const { restartPolicy, activeDeadlineSeconds: deadline, terminationGracePeriodSeconds: grace } = spec;
  const causes = [...validateVolumes(spec, path), ...validateContainers(spec, path)];
  if (!restartPolicy) causes.push(required(`${path}.restartPolicy`));
  else if (!RESTART_POLICIES.includes(restartPolicy))
    causes.push(notSupported(`${path}.restartPolicy`, restartPolicy, RESTART_POLICIES));
  causes.push(...validateDnsPolicy(spec, path), ...validateLabels(spec.nodeSelector, `${path}.nodeSelector`));
  causes.push(...validateDnsConfig(spec, path));
  if (spec.serviceAccountName)
    causes.push(
      ...invalidEach(`${path}.serviceAccountName`, spec.serviceAccountName, dns1123Subdomain(spec.serviceAccountName)),
    );
  if (spec.nodeName) causes.push(...invalidEach(`${path}.nodeName`, spec.nodeName, dns1123Subdomain(spec.nodeName)));
  if (deadline !== undefined && (deadline < 1 || deadline > 2147483647))
    causes.push(invalid(`${path}.activeDeadlineSeconds`, deadline, 'must be between 1 and 2147483647, inclusive'));
  if (grace !== undefined && grace < 0)
    causes.push(invalid(`${path}.terminationGracePeriodSeconds`, grace, 'must be greater than or equal to 0'));
  causes.push(...validateHostNames(spec, path));
  return [...causes, ...validateTolerations(spec.tolerations ?? [], `${path}.tolerations`)];
}

function validateVolumes({ volumes = [] }: PodSpec, path: string): FieldCause[] {
  const names = new Set<string>();
  return volumes.flatMap(({ name }, i) => {
    const at = `${path}.volumes[${i}].name`;
    if (!name) return [required(at)];
    const messages = dns1123Label(name);
    const isTwin = names.has(name);
    names.add(name);
    if (messages.length > 0) return invalidEach(at, name, messages);
    return isTwin ? [duplicate(at, name)] : [];
  });
}

function validateTolerations(tolerations: readonly Toleration[], path: string): FieldCause[] {
  return tolerations.flatMap(({ key = '', operator = 'Equal', value = '', effect, tolerationSeconds }, i) => {
    const at = `${path}[${i}]`;
    const causes: FieldCause[] = [];
    if (key === '' && operator !== 'Exists')
      causes.push(
        invalid(
          `${at}.operator`,
          operator,
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      );
    if (tolerationSeconds !== undefined && effect !== 'NoExecute')
      causes.push(invalid(`${at}.effect`, effect ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set"));
    if (operator === 'Exists' && value !== '')
      causes.push(invalid(`${at}.operator`, { ...tolerations[i] }, "value must be empty when `operator` is 'Exists'"));
    return causes;
  });
}

/** What an update of a pod may not change, and what is wrong with the rest. */
export function validatePodUpdate(pod: Pod, live: Pod): FieldCause[] {
  const [spec, before] = [pod.spec!, live.spec!];
  for (const sort of ['containers', 'initContainers'] as const) {
    if ((spec[sort]?.length ?? 0) !== (before[sort]?.length ?? 0))
      return [forbidden(`spec.${sort}`, 'pod updates may not add or remove containers')];
  }
  const isChanged = !sameValue(withoutChangeable(spec, before), withoutChangeable(before, before));
  const kept = (before.tolerations ?? []).every((old) => spec.tolerations?.some((current) => sameValue(current, old)));
  const causes = validateImages(spec);
  if (!kept)
    causes.push(forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds'));
  if (isChanged) causes.push(forbidden('spec', `pod updates may not change fields other than ${CHANGEABLE}`));
  return causes;
}

function validateImages({ containers, initContainers = [] }: PodSpec): FieldCause[] {
  const missing = (list: readonly Container[], path: string): FieldCause[] =>
    list.flatMap(({ image }, i) => (image ? [] : [required(`${path}[${i}].image`)]));
  return [...missing(containers, 'spec.containers'), ...missing(initContainers, 'spec.initContainers')];
}

// What may change as it was before: the rest has to be the same.
function withoutChangeable(spec: PodSpec, before: PodSpec): PodSpec {
  const images = (list: readonly Container[] | undefined, old: readonly Container[] | undefined) =>
    list?.map((container, i) => ({ ...container, image: old?.[i]?.image }));
  const gated = (before.schedulingGates?.length ?? 0) > 0;
  const { activeDeadlineSeconds, terminationGracePeriodSeconds, tolerations, nodeSelector, affinity } = before;
  const wasNegative = (terminationGracePeriodSeconds ?? 0) < 0 && spec.terminationGracePeriodSeconds === 1;
  return {
    ...spec,
    containers: images(spec.containers, before.containers) as Container[],
    initContainers: images(spec.initContainers, before.initContainers) as Container[] | undefined,
    activeDeadlineSeconds,
    tolerations,
    schedulingGates: undefined,
    // A pod that is not to be scheduled yet may still be told where.
    ...(gated ? { nodeSelector, affinity } : {}),
    ...(wasNegative ? { terminationGracePeriodSeconds } : {}),
  };
}

/** What is wrong with a pod's new status. */
export function validatePodStatus({ status }: Pod): FieldCause[] {
  const check = (name: 'podIPs' | 'hostIPs'): FieldCause[] => {
    const addresses = status?.[name] ?? [];
    const causes = addresses.flatMap(({ ip }, i) => validateAddress(ip, `status.${name}[${i}]`));
    const families = addresses.map(({ ip }) => ip.includes(':'));
    if (new Set(families).size < families.length && causes.length === 0)
      causes.push(invalid(`status.${name}`, addresses, 'may specify no more than one IP for each IP family'));
    return causes;
  };
  return [...check('podIPs'), ...check('hostIPs')];
}

/** What adding ephemeral containers may not change in those that are there. */
export function validateEphemeralUpdate(pod: Pod, live: Pod): FieldCause[] {
  const path = 'spec.ephemeralContainers';
  const given = pod.spec?.ephemeralContainers ?? [];
  const kept = (live.spec?.ephemeralContainers ?? []).flatMap((old) => {
    const current = given.find(({ name }) => name === old.name);
    const problem = current ? (sameValue(current, old) ? undefined : 'changed') : 'removed';
    return problem
      ? [forbidden(path, `existing ephemeral containers ${JSON.stringify(old.name)} may not be ${problem}`)]
      : [];
  });
  return [...validateContainers(pod.spec!, 'spec'), ...kept];
}
