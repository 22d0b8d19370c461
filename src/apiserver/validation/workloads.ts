import type { DeploymentStrategy, LabelSelector, PodTemplateSpec, StatefulSet } from '../../kube/generated/types.ts';
import { matchesLabelSelector } from '../../kube/label-selector.ts';
import { type ApiObject, sameValue } from '../machinery/api-object.ts';
import type { FieldCause } from '../schema/contract.ts';
import { forbidden, invalid, notSupported, required } from './field-errors.ts';
import { validateLabelSelector } from './label-selector.ts';
import { validatePodTemplate } from './pod.ts';

interface WorkloadSpec {
  readonly replicas?: number | undefined;
  readonly minReadySeconds?: number | undefined;
  readonly revisionHistoryLimit?: number | undefined;
  readonly progressDeadlineSeconds?: number | undefined;
  readonly selector?: LabelSelector | undefined;
  readonly template?: PodTemplateSpec | undefined;
  readonly strategy?: DeploymentStrategy | undefined;
}

const specOf = (object: ApiObject): WorkloadSpec => (object.spec ?? {}) as WorkloadSpec;

/** What is wrong with a Deployment. */
export function validateDeployment(object: ApiObject): FieldCause[] {
  const spec = specOf(object);
  const causes = [...validateCounts(spec), ...validateSelectorAndTemplate(spec)];
  const { progressDeadlineSeconds: deadline, minReadySeconds = 0 } = spec;
  if (deadline !== undefined && deadline <= minReadySeconds) {
    causes.push(invalid('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds'));
  }
  const { strategy } = spec;
  if (strategy?.type === 'Recreate' && strategy.rollingUpdate) {
    const detail = "may not be specified when strategy `type` is 'Recreate'";
    causes.push(forbidden('spec.strategy.rollingUpdate', detail));
  }
  return causes;
}

/** What is wrong with a ReplicaSet. */
export function validateReplicaSet(object: ApiObject): FieldCause[] {
  const spec = specOf(object);
  return [...validateCounts(spec), ...validateSelectorAndTemplate(spec)];
}

/** What is wrong with a DaemonSet. */
export function validateDaemonSet(object: ApiObject): FieldCause[] {
  const spec = specOf(object);
  return [...validateCounts({ ...spec, replicas: undefined }), ...validateSelectorAndTemplate(spec)];
}

/** What is wrong with a StatefulSet, and with what an update changes in it. */
export function validateStatefulSet(object: StatefulSet, live?: StatefulSet): FieldCause[] {
  const spec = specOf(object);
  const causes = [...validateCounts(spec), ...validateSelectorAndTemplate(spec)];
  const policy = object.spec?.podManagementPolicy ?? '';
  if (policy === '') causes.push(required('spec.podManagementPolicy'));
  else if (policy !== 'OrderedReady' && policy !== 'Parallel') {
    causes.push(invalid('spec.podManagementPolicy', policy, "must be 'OrderedReady' or 'Parallel'"));
  }
  if (live && !sameValue(frozenPart(object), frozenPart(live))) {
    const fields =
      "'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds'";
    causes.push(forbidden('spec', `updates to statefulset spec for fields other than ${fields} are forbidden`));
  }
  return causes;
}

/** The selector of a workload never changes. */
export function validateTemplateSelector(object: ApiObject, live: ApiObject): FieldCause[] {
  const { selector } = specOf(object);
  return sameValue(selector, specOf(live).selector) ? [] : [invalid('spec.selector', selector, 'field is immutable')];
}

function frozenPart({ spec }: StatefulSet): unknown {
  return {
    ...spec,
    replicas: undefined,
    ordinals: undefined,
    template: undefined,
    updateStrategy: undefined,
    revisionHistoryLimit: undefined,
    persistentVolumeClaimRetentionPolicy: undefined,
    minReadySeconds: undefined,
  };
}

function validateCounts(spec: WorkloadSpec): FieldCause[] {
  const names = ['replicas', 'minReadySeconds', 'revisionHistoryLimit', 'progressDeadlineSeconds'] as const;
  return names.flatMap((name) => {
    const value = spec[name];
    return value !== undefined && value < 0
      ? [invalid(`spec.${name}`, value, 'must be greater than or equal to 0')]
      : [];
  });
}

function validateSelectorAndTemplate({ selector: given, template }: WorkloadSpec): FieldCause[] {
  const causes: FieldCause[] = [];
  // Null when nobody gave it, as Go prints a required pointer.
  const selector = given ?? undefined;
  if (selector === undefined) causes.push(required('spec.selector'));
  else {
    causes.push(...validateLabelSelector(selector, 'spec.selector'));
    if (isEmpty(selector)) causes.push(invalid('spec.selector', selector, 'empty selector is invalid for deployment'));
  }
  if (template === undefined) return [...causes, required('spec.template')];
  const isJudgeable = selector === undefined || causes.length === 0;
  if (isJudgeable && !(selector && matchesLabelSelector(selector, template.metadata?.labels))) {
    const labels = template.metadata?.labels ?? null;
    causes.push(invalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'));
  }
  causes.push(...validatePodTemplate(template, 'spec.template'));
  const policy = template.spec?.restartPolicy;
  if (policy !== undefined && policy !== 'Always') {
    causes.push(notSupported('spec.template.spec.restartPolicy', policy, ['Always']));
  }
  return causes;
}

function isEmpty({ matchLabels, matchExpressions }: LabelSelector): boolean {
  return Object.keys(matchLabels ?? {}).length === 0 && (matchExpressions ?? []).length === 0;
}
