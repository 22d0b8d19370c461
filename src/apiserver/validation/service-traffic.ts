import type { ServiceSpec } from '../../kube/generated/types.ts';
import type { FieldCause } from '../schema/contract.ts';
import { forbidden, invalid, invalidEach, notSupported, required } from './field-errors.ts';
import { portNumber } from './names.ts';

const POLICIES = ['Cluster', 'Local'];
const DISTRIBUTIONS = ['PreferClose', 'PreferSameZone', 'PreferSameNode'];

function isExternallyAccessible({ type, externalIPs }: ServiceSpec): boolean {
  return type === 'LoadBalancer' || type === 'NodePort' || (type === 'ClusterIP' && (externalIPs?.length ?? 0) > 0);
}

function needsHealthCheck({ type, externalTrafficPolicy }: ServiceSpec): boolean {
  return type === 'LoadBalancer' && externalTrafficPolicy === 'Local';
}

/** What is wrong with traffic policies, traffic distribution and the health check node port. */
export function validateTrafficPolicies(spec: ServiceSpec, live: ServiceSpec | undefined): FieldCause[] {
  return [
    ...validateExternal(spec),
    ...validateHealthCheck(spec, live),
    ...validateInternal(spec),
    ...validateDistribution(spec),
  ];
}

function validateExternal(spec: ServiceSpec): FieldCause[] {
  const path = 'spec.externalTrafficPolicy';
  const policy = spec.externalTrafficPolicy;
  if (!isExternallyAccessible(spec)) {
    return policy ? [invalid(path, policy, 'may only be set for externally-accessible services')] : [];
  }
  if (!policy) return [required(path)];
  return POLICIES.includes(policy) ? [] : [notSupported(path, policy, POLICIES)];
}

function validateHealthCheck(spec: ServiceSpec, live: ServiceSpec | undefined): FieldCause[] {
  const path = 'spec.healthCheckNodePort';
  const port = spec.healthCheckNodePort;
  if (!needsHealthCheck(spec)) {
    const detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
    return port ? [invalid(path, port, detail)] : [];
  }
  if (live && needsHealthCheck(live) && live.healthCheckNodePort !== port)
    return [forbidden(path, 'field is immutable')];
  return port ? invalidEach(path, port, portNumber(port)) : [required(path)];
}

function validateInternal({ type, internalTrafficPolicy: policy }: ServiceSpec): FieldCause[] {
  const path = 'spec.internalTrafficPolicy';
  if (policy === undefined) return type === 'ExternalName' ? [] : [required(path)];
  return POLICIES.includes(policy) ? [] : [notSupported(path, policy, POLICIES)];
}

function validateDistribution({ trafficDistribution: distribution }: ServiceSpec): FieldCause[] {
  if (distribution === undefined || DISTRIBUTIONS.includes(distribution)) return [];
  return [notSupported('spec.trafficDistribution', distribution, DISTRIBUTIONS)];
}
