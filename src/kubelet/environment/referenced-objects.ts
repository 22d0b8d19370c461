import type { Pod } from '../../kube/generated/types.ts';

/** The ConfigMaps and Secrets that a pod's environment and volumes name, as `configmap/NAME` and `secret/NAME`. */
export function referencedObjects({ spec }: Pod): ReadonlySet<string> {
  const names = new Set<string>();
  const configMap = (name: string | undefined): void => void (name && names.add(`configmap/${name}`));
  const secret = (name: string | undefined): void => void (name && names.add(`secret/${name}`));
  const containers = [
    ...(spec?.containers ?? []),
    ...(spec?.initContainers ?? []),
    ...(spec?.ephemeralContainers ?? []),
  ];
  for (const { env = [], envFrom = [] } of containers) {
    for (const { valueFrom } of env) {
      configMap(valueFrom?.configMapKeyRef?.name);
      secret(valueFrom?.secretKeyRef?.name);
    }
    for (const { configMapRef, secretRef } of envFrom) {
      configMap(configMapRef?.name);
      secret(secretRef?.name);
    }
  }
  for (const volume of spec?.volumes ?? []) {
    configMap(volume.configMap?.name);
    secret(volume.secret?.secretName);
    for (const source of volume.projected?.sources ?? []) {
      configMap(source.configMap?.name);
      secret(source.secret?.name);
    }
  }
  return names;
}
