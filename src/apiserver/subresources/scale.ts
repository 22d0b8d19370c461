import type { LabelSelector, Scale } from '../../kube/generated/types.ts';
import { labelRequirementsOf, printLabelSelector } from '../../kube/label-selector.ts';
import type { KubeObject } from '../../kube/resources.ts';
import { type ApiObject, isPlain, type Plain } from '../machinery/api-object.ts';
import { invalidObject } from '../machinery/errors.ts';
import { invalid } from '../validation/field-errors.ts';

/** Where a kind keeps what Scale shows: paths of JSON fields. */
export interface ScalePaths {
  readonly specReplicas: readonly string[];
  readonly statusReplicas: readonly string[];
  /** Text of the selector, for kinds that store it so (custom resources); others have a LabelSelector in spec.selector. */
  readonly labelSelector?: readonly string[] | undefined;
}

/** Paths of the built-in workloads. */
export const workloadScale: ScalePaths = { specReplicas: ['spec', 'replicas'], statusReplicas: ['status', 'replicas'] };

/** The Scale of an object. */
export function scaleOf(object: ApiObject, paths: ScalePaths): Scale {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata ?? {};
  const replicas = numberAt(object, paths.specReplicas);
  const selector = selectorText(object, paths);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: replicas === 0 ? {} : { replicas },
    status: { replicas: numberAt(object, paths.statusReplicas), ...(selector === '' ? {} : { selector }) },
  };
}

/** The object with the replicas of a Scale that a client sent. Throws ApiStatusError Invalid for a negative number. */
export function withScale(object: KubeObject, scale: Scale, { specReplicas }: ScalePaths): KubeObject {
  const replicas = scale.spec?.replicas ?? 0;
  if (replicas < 0) {
    const cause = invalid('spec.replicas', replicas, 'must be greater than or equal to 0');
    throw invalidObject({ group: 'autoscaling', kind: 'Scale' }, scale.metadata?.name ?? '', [cause]);
  }
  const scaled = setAt(object as unknown as Plain, specReplicas, replicas) as unknown as KubeObject;
  const { resourceVersion } = scale.metadata ?? {};
  return {
    ...scaled,
    metadata: { ...object.metadata, resourceVersion: resourceVersion || object.metadata?.resourceVersion },
  };
}

function numberAt(object: ApiObject, path: readonly string[]): number {
  const value = valueAt(object, path);
  return typeof value === 'number' ? value : 0;
}

function selectorText(object: ApiObject, { labelSelector }: ScalePaths): string {
  if (labelSelector) {
    const value = valueAt(object, labelSelector);
    return typeof value === 'string' ? value : '';
  }
  const selector = valueAt(object, ['spec', 'selector']);
  if (!isPlain(selector)) return '';
  const isObject = 'matchLabels' in selector || 'matchExpressions' in selector;
  const parsed: LabelSelector = isObject ? selector : { matchLabels: selector as Readonly<Record<string, string>> };
  return printLabelSelector(labelRequirementsOf(parsed));
}

function valueAt(object: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, name) => (isPlain(value) ? value[name] : undefined), object);
}

function setAt(object: Plain, [name = '', ...rest]: readonly string[], value: unknown): Plain {
  if (rest.length === 0) return { ...object, [name]: value };
  const inner = object[name];
  return { ...object, [name]: setAt(isPlain(inner) ? inner : {}, rest, value) };
}
