import type {
  CronJob,
  IPAddress,
  Job,
  Lease,
  Node,
  PodDisruptionBudget,
  PodTemplateSpec,
  PriorityClass,
  ServiceCIDR,
  StorageClass,
} from '../../kube/generated/types.ts';
import type { FieldCause } from '../schema/contract.ts';
import { validateBlock, validateCanonicalAddress } from './addresses.ts';
import { forbidden, invalid, notSupported, required } from './field-errors.ts';
import { validatePodTemplate } from './pod.ts';

const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];
const SYSTEM_CLASSES = ['system-node-critical', 'system-cluster-critical'];
const MAX_USER_PRIORITY = 1_000_000_000;

/** What is wrong with a Lease. */
export function validateLease({ spec }: Lease): FieldCause[] {
  const { leaseDurationSeconds: seconds, leaseTransitions: transitions } = spec ?? {};
  const causes: FieldCause[] = [];
  if (seconds !== undefined && seconds <= 0)
    causes.push(invalid('spec.leaseDurationSeconds', seconds, 'must be greater than 0'));
  if (transitions !== undefined && transitions < 0)
    causes.push(invalid('spec.leaseTransitions', transitions, 'must be greater than or equal to 0'));
  return causes;
}

/** What is wrong with a Node. */
export function validateNode({ spec }: Node): FieldCause[] {
  const { taints = [], podCIDR, podCIDRs = podCIDR ? [podCIDR] : [] } = spec ?? {};
  return [
    ...taints.flatMap(({ effect }, i) =>
      EFFECTS.includes(effect) ? [] : [notSupported(`metadata.taints[${i}].effect`, effect, EFFECTS)],
    ),
    ...podCIDRs.flatMap((block, i) => validateBlock(block, `spec.podCIDRs[${i}]`)),
  ];
}

/** What is wrong with a PodDisruptionBudget. */
export function validateDisruptionBudget({ spec }: PodDisruptionBudget): FieldCause[] {
  const { minAvailable, maxUnavailable, selector, unhealthyPodEvictionPolicy } = spec ?? {};
  if (minAvailable === undefined || maxUnavailable === undefined) return [];
  // The real server prints its own struct.
  const shown = {
    MinAvailable: minAvailable,
    Selector: selector ?? null,
    MaxUnavailable: maxUnavailable,
    UnhealthyPodEvictionPolicy: unhealthyPodEvictionPolicy ?? null,
  };
  return [invalid('spec', shown, 'minAvailable and maxUnavailable cannot be both set')];
}

/** What is wrong with an IPAddress. */
export function validateIPAddress({ metadata, spec }: IPAddress): FieldCause[] {
  const { resource, name } = spec?.parentRef ?? {};
  const parent = spec?.parentRef
    ? [...(resource ? [] : [required('spec.parentRef.resource')]), ...(name ? [] : [required('spec.parentRef.name')])]
    : [required('spec.parentRef')];
  return [...validateCanonicalAddress(metadata?.name ?? '', 'metadata.name'), ...parent];
}

/** What is wrong with a ServiceCIDR. */
export function validateServiceCIDR({ spec }: ServiceCIDR): FieldCause[] {
  const cidrs = spec?.cidrs ?? [];
  if (cidrs.length === 0) return [required('spec.cidrs', 'at least one CIDR required')];
  if (cidrs.length > 2) return [invalid('spec.cidrs', { CIDRs: cidrs }, 'may only hold up to 2 values')];
  return cidrs.flatMap((block, i) => validateBlock(block, `spec.cidrs[${i}]`));
}

/** What is wrong with a PriorityClass. */
export function validatePriorityClass({ metadata, value = 0 }: PriorityClass): FieldCause[] {
  const name = metadata?.name ?? '';
  if (SYSTEM_CLASSES.includes(name)) return [];
  if (name.startsWith('system-')) {
    const detail = `priority class names with 'system-' prefix are reserved for system use only. error: ${name} is not a known system priority class`;
    return [forbidden('metadata.name', detail)];
  }
  if (value <= MAX_USER_PRIORITY) return [];
  return [forbidden('value', `maximum allowed value of a user defined priority is ${MAX_USER_PRIORITY}`)];
}

/** What is wrong with a StorageClass. */
export function validateStorageClass({ provisioner }: StorageClass): FieldCause[] {
  return provisioner ? [] : [required('provisioner')];
}

/** What is wrong with a Job. */
export function validateJob({ spec }: Job): FieldCause[] {
  return validateJobTemplate(spec?.template, 'spec.template');
}

/** What is wrong with a CronJob. */
export function validateCronJob({ spec }: CronJob): FieldCause[] {
  const { schedule = '', jobTemplate } = spec ?? {};
  const causes = validateJobTemplate(jobTemplate?.spec?.template, 'spec.jobTemplate.spec.template');
  const fields = schedule
    .replace(/^(?:CRON_TZ|TZ)=\S+\s*/, '')
    .split(/\s+/)
    .filter(Boolean);
  if (schedule === '') causes.push(required('spec.schedule'));
  else if (!schedule.startsWith('@') && fields.length !== 5) {
    const detail = `expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`;
    causes.push(invalid('spec.schedule', schedule, detail));
  }
  return causes;
}

function validateJobTemplate(template: PodTemplateSpec | undefined, path: string): FieldCause[] {
  const causes = validatePodTemplate(template ?? {}, path);
  const policy = template?.spec?.restartPolicy;
  if (policy === 'OnFailure' || policy === 'Never') return causes;
  return [...causes, required(`${path}.spec.restartPolicy`, 'valid values: "OnFailure", "Never"')];
}
