export const SERVICE_NAME = 'kubernetes.io/service-name';
export const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
export const SKIP_MIRROR = 'endpointslice.kubernetes.io/skip-mirror';
export const HEADLESS = 'service.kubernetes.io/headless';
export const TRIGGER_TIME = 'endpoints.kubernetes.io/last-change-trigger-time';
export const ENDPOINT_SLICE_CONTROLLER = 'endpointslice-controller.k8s.io';
export const MIRRORING_CONTROLLER = 'endpointslicemirroring-controller.k8s.io';

/** Labels without those that only the controllers may set on slices. */
export function withoutReservedLabels(labels: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const { [SERVICE_NAME]: _name, [MANAGED_BY]: _manager, [HEADLESS]: _headless, ...others } = labels;
  return others;
}
