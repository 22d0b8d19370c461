import type { FieldError } from '../../kube/field-error.ts';
import type { ServiceSpec } from '../../kube/generated/types.ts';
import { isHeadless, needsClusterIP, needsHealthCheckNodePort } from './service-fields.ts';

/** What a Service may not change once it has it: its addresses, their families, its health check node port. */
export function validateUpdate(spec: ServiceSpec, previous: ServiceSpec): readonly FieldError[] {
  return [
    ...clusterIPErrors(spec, previous),
    ...familyErrors(spec, previous),
    ...(needsHealthCheckNodePort(spec) &&
    needsHealthCheckNodePort(previous) &&
    spec.healthCheckNodePort !== previous.healthCheckNodePort
      ? [invalid('spec.healthCheckNodePort', spec.healthCheckNodePort, 'field is immutable')]
      : []),
  ];
}

function clusterIPErrors(spec: ServiceSpec, previous: ServiceSpec): readonly FieldError[] {
  if (!needsClusterIP(spec) || !needsClusterIP(previous) || (isHeadless(spec) && isHeadless(previous))) return [];
  const { clusterIPs: now = [] } = spec;
  const { clusterIPs: before = [] } = previous;
  if (now.length === before.length) {
    return before.flatMap((ip, i) =>
      ip === now[i] ? [] : [invalid(`spec.clusterIPs[${i}]`, now, 'may not change once set')],
    );
  }
  if (now.length === 0) return [invalid('spec.clusterIPs[0]', now, 'primary clusterIP can not be unset')];
  const released = now.length < before.length && spec.ipFamilyPolicy !== 'SingleStack';
  return [
    ...(before.length > 0 && now[0] !== before[0]
      ? [invalid('spec.clusterIPs[0]', now, 'may not change once set')]
      : []),
    ...(released ? [policyError(spec, 'clusterIP')] : []),
  ];
}

function familyErrors(spec: ServiceSpec, previous: ServiceSpec): readonly FieldError[] {
  if (!needsClusterIP(spec) || !needsClusterIP(previous) || isHeadless(spec) || isHeadless(previous)) return [];
  const { ipFamilies: now = [] } = spec;
  const { ipFamilies: before = [] } = previous;
  const changed = before.length > 0 && now.length > 0 && now[0] !== before[0];
  const secondary = now.length === before.length && now.length === 2 && now[1] !== before[1];
  const released = now.length < before.length && spec.ipFamilyPolicy !== 'SingleStack';
  return [
    ...(changed || secondary ? [invalid('spec.ipFamilies[0]', now, 'may not change once set')] : []),
    ...(released ? [policyError(spec, 'ipFamily')] : []),
  ];
}

function invalid(field: string, value: unknown, detail: string): FieldError {
  return { type: 'Invalid', field, value, detail };
}

function policyError(spec: ServiceSpec, what: string): FieldError {
  return invalid(
    'spec.ipFamilyPolicy',
    spec.ipFamilyPolicy,
    `must be set to 'SingleStack' when releasing the secondary ${what}`,
  );
}
