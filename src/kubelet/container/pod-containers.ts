import type { Container, EphemeralContainer, Pod } from '../../kube/generated/types.ts';

/** `init` runs to its end before the next starts, `sidecar` is an init container with restartPolicy Always. */
export type ContainerKind = 'init' | 'sidecar' | 'regular' | 'ephemeral';

/** A container of a pod and the part it plays. */
export interface PodContainer {
  readonly kind: ContainerKind;
  readonly spec: Container | EphemeralContainer;
}

/** Every container of a pod: init containers and sidecars in their order, then regular ones, then ephemeral ones. */
export function podContainers(pod: Pod): readonly PodContainer[] {
  const { initContainers = [], containers = [], ephemeralContainers = [] } = pod.spec ?? {};
  return [
    ...initContainers.map((spec): PodContainer => ({ kind: isSidecar(spec) ? 'sidecar' : 'init', spec })),
    ...containers.map((spec): PodContainer => ({ kind: 'regular', spec })),
    ...ephemeralContainers.map((spec): PodContainer => ({ kind: 'ephemeral', spec })),
  ];
}

/** True for an init container that keeps running beside the regular ones. */
export function isSidecar(initContainer: Container): boolean {
  return initContainer.restartPolicy === 'Always';
}

/** The fieldPath of a container in an event's involvedObject: `spec.containers{web}`. */
export function containerFieldPath({ kind, spec }: PodContainer): string {
  if (kind === 'ephemeral') return `spec.ephemeralContainers{${spec.name}}`;
  return kind === 'regular' ? `spec.containers{${spec.name}}` : `spec.initContainers{${spec.name}}`;
}
