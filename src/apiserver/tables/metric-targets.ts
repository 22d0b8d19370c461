import type { MetricSpec, MetricStatus, MetricTarget, MetricValueStatus } from '../../kube/generated/types.ts';

/** The TARGETS column of a HorizontalPodAutoscaler: `cpu: 40%/80%` for each metric, two at most. */
export function formatMetrics(specs: readonly MetricSpec[], statuses: readonly MetricStatus[]): string {
  if (specs.length === 0) return '<none>';
  const texts = specs.map((spec, i) => formatMetric(spec, statuses[i]));
  return texts.length > 2 ? `${texts.slice(0, 2).join(', ')} + ${texts.length - 2} more...` : texts.join(', ');
}

function formatMetric(spec: MetricSpec, status: MetricStatus | undefined): string {
  switch (spec.type) {
    case 'Resource':
      return `${spec.resource?.name}: ${pair(spec.resource?.target, status?.resource?.current)}`;
    case 'ContainerResource':
      return `${spec.containerResource?.name}: ${pair(spec.containerResource?.target, status?.containerResource?.current)}`;
    case 'External':
      return average(spec.external?.target, status?.external?.current);
    case 'Pods':
      return `${status?.pods?.current?.averageValue ?? '<unknown>'}/${spec.pods?.target?.averageValue ?? ''}`;
    case 'Object':
      return average(spec.object?.target, status?.object?.current);
    default:
      return '<unknown type>';
  }
}

function pair(target: MetricTarget | undefined, current: MetricValueStatus | undefined): string {
  if (target?.averageValue !== undefined) return `${current?.averageValue ?? '<unknown>'}/${target.averageValue}`;
  const now = current?.averageUtilization === undefined ? '<unknown>' : `${current.averageUtilization}%`;
  return `${now}/${target?.averageUtilization === undefined ? '<auto>' : `${target.averageUtilization}%`}`;
}

function average(target: MetricTarget | undefined, current: MetricValueStatus | undefined): string {
  if (target?.averageValue !== undefined) {
    return `${current?.averageValue ?? '<unknown>'}/${target.averageValue} (avg)`;
  }
  return `${current?.value ?? '<unknown>'}/${target?.value ?? '<auto>'}`;
}
