import type { HorizontalPodAutoscaler, HorizontalPodAutoscalerV2, MetricSpec } from '../../kube/generated/types.ts';
import type { KubeObject } from '../../kube/resources.ts';
import { type Plain, withFields, withMetadata } from '../machinery/api-object.ts';
import type { Conversion } from '../machinery/served-resource.ts';

const eventFields = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['reportingComponent', 'reportingController'],
] as const;

/** events.k8s.io/v1 over core/v1 Events: the same fields under other names. */
export const eventConversion: Conversion = {
  toStored: (event) =>
    renameFields(
      event,
      'v1',
      eventFields.map(([core, newer]) => [newer, core]),
    ),
  fromStored: (event) => renameFields(event, 'events.k8s.io/v1', eventFields),
};

function renameFields(
  object: KubeObject,
  apiVersion: string,
  names: readonly (readonly [from: string, to: string])[],
): KubeObject {
  const renamed = new Map(names);
  const entries = Object.entries(object).map(([name, value]) => [renamed.get(name) ?? name, value]);
  return { ...Object.fromEntries(entries), apiVersion };
}

const METRICS = 'autoscaling.alpha.kubernetes.io/metrics';
const BEHAVIOR = 'autoscaling.alpha.kubernetes.io/behavior';
const CURRENT_METRICS = 'autoscaling.alpha.kubernetes.io/current-metrics';
const CONDITIONS = 'autoscaling.alpha.kubernetes.io/conditions';

/** autoscaling/v1 over v2: CPU utilization has fields of its own, everything else travels in annotations. */
export const horizontalPodAutoscalerConversion: Conversion = {
  toStored: (object) => toV2(object as HorizontalPodAutoscaler),
  fromStored: (object) => toV1(object as HorizontalPodAutoscalerV2),
};

function isCpuUtilization({ type, resource }: MetricSpec): boolean {
  return type === 'Resource' && resource?.name === 'cpu' && resource.target.type === 'Utilization';
}

function toV2(v1: HorizontalPodAutoscaler): KubeObject {
  const { targetCPUUtilizationPercentage: percentage, ...spec } = v1.spec ?? ({} as Plain);
  const { currentCPUUtilizationPercentage: current, ...status } = v1.status ?? ({} as Plain);
  const annotations = { ...v1.metadata?.annotations };
  const take = (name: string): unknown => {
    const text = annotations[name];
    delete annotations[name];
    return text === undefined ? undefined : JSON.parse(text);
  };
  const others = (take(METRICS) as readonly MetricSpec[] | undefined) ?? [];
  const cpu =
    percentage === undefined ? [] : [cpuMetric({ target: { type: 'Utilization', averageUtilization: percentage } })];
  const metrics = [...cpu, ...others];
  const currentCpu = current === undefined ? [] : [cpuMetric({ current: { averageUtilization: current } })];
  const currentMetrics = [...currentCpu, ...((take(CURRENT_METRICS) as readonly Plain[] | undefined) ?? [])];
  const changed = {
    apiVersion: 'autoscaling/v2',
    spec: withFields(spec, { ...(metrics.length > 0 ? { metrics } : {}), behavior: take(BEHAVIOR) }),
    ...(v1.status
      ? {
          status: withFields(status, {
            ...(currentMetrics.length > 0 ? { currentMetrics } : {}),
            conditions: take(CONDITIONS),
          }),
        }
      : {}),
  };
  const kept = Object.keys(annotations).length > 0 ? annotations : undefined;
  return withMetadata(withFields(v1, changed), { annotations: kept });
}

const cpuMetric = (fields: Plain): Plain => ({ type: 'Resource', resource: { name: 'cpu', ...fields } });

function toV1(v2: HorizontalPodAutoscalerV2): KubeObject {
  const { metrics = [], behavior, ...spec } = v2.spec ?? ({} as NonNullable<HorizontalPodAutoscalerV2['spec']>);
  const {
    currentMetrics = [],
    conditions,
    ...status
  } = v2.status ?? ({} as NonNullable<HorizontalPodAutoscalerV2['status']>);
  const cpu = metrics.find(isCpuUtilization);
  const current = currentMetrics.find(({ type, resource }) => type === 'Resource' && resource?.name === 'cpu');
  const utilization = current?.resource?.current.averageUtilization;
  const annotations = {
    ...v2.metadata?.annotations,
    ...annotation(
      METRICS,
      metrics.filter((metric) => metric !== cpu),
    ),
    ...annotation(
      CURRENT_METRICS,
      currentMetrics.filter((metric) => metric !== current),
    ),
    ...annotation(CONDITIONS, conditions),
    ...annotation(BEHAVIOR, behavior),
  };
  const changed = {
    apiVersion: 'autoscaling/v1',
    spec: withFields(spec, { targetCPUUtilizationPercentage: cpu?.resource?.target.averageUtilization }),
    ...(v2.status
      ? { status: withFields({ currentReplicas: 0, ...status }, { currentCPUUtilizationPercentage: utilization }) }
      : {}),
  };
  const kept = Object.keys(annotations).length > 0 ? annotations : undefined;
  return withMetadata(withFields(v2, changed), { annotations: kept });
}

function annotation(name: string, value: unknown): Readonly<Record<string, string>> {
  const empty = value === undefined || (Array.isArray(value) && value.length === 0);
  return empty ? {} : { [name]: JSON.stringify(value) };
}
