import { type Fields, fill, fillPointer, isZero, type SetDefaults, structAt, structsAt } from './fill.ts';
import { imageTag } from './image-tag.ts';
import { defaultPodLevelResources } from './pod-level-resources.ts';

const pullPolicyOf = (image: unknown): string =>
  imageTag(typeof image === 'string' ? image : '') === 'latest' ? 'Always' : 'IfNotPresent';

const container: SetDefaults = (struct) => {
  fill(struct, 'imagePullPolicy', pullPolicyOf(struct['image']));
  fill(struct, 'terminationMessagePath', '/dev/termination-log');
  fill(struct, 'terminationMessagePolicy', 'File');
};

const mode: SetDefaults = (struct) => fillPointer(struct, 'defaultMode', 0o644);

function requestsFromLimits(owner: Fields): void {
  const resources = structAt(owner, 'resources');
  const limits = resources['limits'] as Fields | undefined;
  if (limits === undefined) return;
  resources['requests'] = { ...limits, ...(resources['requests'] as Fields | undefined) };
}

function pod(struct: Fields): void {
  const spec = structAt(struct, 'spec');
  const containers = [...structsAt(spec, 'containers'), ...structsAt(spec, 'initContainers')];
  containers.forEach(requestsFromLimits);
  defaultPodLevelResources(spec);
  fillPointer(spec, 'enableServiceLinks', true);
  if (Number(spec['terminationGracePeriodSeconds']) < 0) spec['terminationGracePeriodSeconds'] = 1;
  if (spec['hostNetwork'] !== true) return;
  for (const port of containers.flatMap((entry) => structsAt(entry, 'ports')))
    if (!isZero(port['containerPort'])) fill(port, 'hostPort', port['containerPort']);
}

function podSpec(struct: Fields): void {
  fill(struct, 'dnsPolicy', 'ClusterFirst');
  fill(struct, 'restartPolicy', 'Always');
  fillPointer(struct, 'securityContext', {});
  fillPointer(struct, 'terminationGracePeriodSeconds', 30);
  fill(struct, 'schedulerName', 'default-scheduler');
  // The old name of the field is kept in step with the new one.
  fill(struct, 'serviceAccountName', struct['serviceAccount']);
  if (isZero(struct['serviceAccountName'])) delete struct['serviceAccountName'];
  else struct['serviceAccount'] = struct['serviceAccountName'];
}

function volume(struct: Fields): void {
  if (Object.keys(struct).every((key) => key === 'name')) struct['emptyDir'] = {};
  const image = struct['image'] as Fields | undefined;
  if (image) fill(image, 'pullPolicy', pullPolicyOf(image['reference']));
}

function probe(struct: Fields): void {
  fill(struct, 'timeoutSeconds', 1);
  fill(struct, 'periodSeconds', 10);
  fill(struct, 'successThreshold', 1);
  fill(struct, 'failureThreshold', 3);
}

// An address given the old way wins over the list that it is the first of.
function podStatus(struct: Fields): void {
  const first = structsAt(struct, 'podIPs')[0]?.['ip'];
  if (isZero(struct['podIP'])) {
    if (!isZero(first)) struct['podIP'] = first;
  } else if (struct['podIP'] !== first) struct['podIPs'] = [{ ip: struct['podIP'] }];
}

const core = 'io.k8s.api.core.v1.';

/** Defaults of Pods and of all that a pod template holds. */
export const podDefaults: Readonly<Record<string, SetDefaults>> = {
  [`${core}Pod`]: pod,
  [`${core}PodSpec`]: podSpec,
  [`${core}PodStatus`]: podStatus,
  [`${core}Volume`]: volume,
  [`${core}Container`]: container,
  [`${core}EphemeralContainer`]: container,
  [`${core}Probe`]: probe,
  [`${core}SecretVolumeSource`]: mode,
  [`${core}ConfigMapVolumeSource`]: mode,
  [`${core}DownwardAPIVolumeSource`]: mode,
  [`${core}ProjectedVolumeSource`]: mode,
  [`${core}ServiceAccountTokenProjection`]: (struct) => fillPointer(struct, 'expirationSeconds', 3600),
  [`${core}HTTPGetAction`]: (struct) => {
    fill(struct, 'path', '/');
    fill(struct, 'scheme', 'HTTP');
  },
  [`${core}ObjectFieldSelector`]: (struct) => fill(struct, 'apiVersion', 'v1'),
  [`${core}HostPathVolumeSource`]: (struct) => fillPointer(struct, 'type', ''),
};
