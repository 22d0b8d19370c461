import type { Pod, PodTemplateSpec } from '../../kube/generated/types.ts';
import type { FieldCause } from '../schema/contract.ts';

/** What is wrong with a new pod. */
export function validatePod(_pod: Pod): FieldCause[] {
  return [];
}

/** What an update of a pod may not change. */
export function validatePodUpdate(_pod: Pod, _live: Pod): FieldCause[] {
  return [];
}

/** What is wrong with a pod's new status. */
export function validatePodStatus(_pod: Pod, _live: Pod): FieldCause[] {
  return [];
}

/** What is wrong with the template of a workload. */
export function validatePodTemplate(_template: PodTemplateSpec, _path: string): FieldCause[] {
  return [];
}
