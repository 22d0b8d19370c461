import type { Container, Pod, PodSpec, ServiceAccount, Volume } from '../../kube/generated/types.ts';
import { resources } from '../../kube/resources.ts';
import { generateName } from '../machinery/generate-name.ts';
import type { StrategyContext } from '../machinery/strategy.ts';

const MOUNT_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
const MODE = 0o644;
// An hour, and what the admission plugin adds to tell its own tokens from others.
const TOKEN_SECONDS = 3607;

/**
 * Mounts the service account's token, the cluster's CA and the namespace into every container of a new pod, as the admission
 * plugin ServiceAccount does, unless the pod or the account says no or a container has something else there.
 */
export function mountServiceAccount(pod: Pod, context: StrategyContext): Pod {
  const spec = pod.spec!;
  if (!isWanted(pod, context)) return pod;
  const name = spec.volumes?.find((volume) => volume.name.startsWith('kube-api-access-'))?.name;
  const volume = name ?? generateName('kube-api-access-', context.random);
  const withMount = <T extends Pick<Container, 'volumeMounts'>>(container: T): T => mountInto(container, volume);
  const containers = spec.containers.map(withMount);
  const initContainers = spec.initContainers?.map(withMount);
  const isMounted = [...containers, ...(initContainers ?? [])].some(({ volumeMounts }) =>
    volumeMounts?.some((mount) => mount.name === volume),
  );
  if (!isMounted) return pod;
  const mounted: PodSpec = {
    ...spec,
    containers,
    ...(initContainers ? { initContainers } : {}),
    ...(name === undefined ? { volumes: [...(spec.volumes ?? []), accessVolume(volume)] } : {}),
  };
  return { ...pod, spec: mounted };
}

function isWanted({ metadata, spec }: Pod, { reader }: StrategyContext): boolean {
  if (spec?.automountServiceAccountToken !== undefined) return spec.automountServiceAccountToken;
  const key = { namespace: metadata?.namespace, name: spec?.serviceAccountName || 'default' };
  return reader.get<ServiceAccount>(resources.serviceAccounts, key)?.automountServiceAccountToken !== false;
}

function mountInto<T extends Pick<Container, 'volumeMounts'>>(container: T, name: string): T {
  const { volumeMounts = [] } = container;
  if (volumeMounts.some(({ mountPath }) => mountPath === MOUNT_PATH)) return container;
  return { ...container, volumeMounts: [...volumeMounts, { name, readOnly: true, mountPath: MOUNT_PATH }] };
}

function accessVolume(name: string): Volume {
  const sources = [
    { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: 'token' } },
    { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
    {
      downwardAPI: {
        items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
      },
    },
  ];
  return { name, projected: { sources, defaultMode: MODE } };
}
