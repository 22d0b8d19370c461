import type { Pod } from '../../kube/generated/types.ts';

/** What a pod's own fields answer to the downward API besides its spec and metadata. */
export interface PodFacts {
  readonly podIPs: readonly string[];
  readonly hostIPs: readonly string[];
}

const SUBSCRIPTED = /^metadata\.(?<map>annotations|labels)\['(?<key>.+)'\]$/;

/**
 * The value of a downward API fieldPath such as `metadata.name`, `metadata.labels['app']`, `status.podIP` or, in volumes,
 * `metadata.labels`; undefined for a path that Kubernetes does not know.
 */
export function fieldValue(pod: Pod, fieldPath: string, facts: PodFacts): string | undefined {
  const { map, key } = SUBSCRIPTED.exec(fieldPath)?.groups ?? {};
  if (map !== undefined && key !== undefined) return pod.metadata?.[map as 'labels' | 'annotations']?.[key] ?? '';
  switch (fieldPath) {
    case 'metadata.name':
      return pod.metadata?.name ?? '';
    case 'metadata.namespace':
      return pod.metadata?.namespace ?? '';
    case 'metadata.uid':
      return pod.metadata?.uid ?? '';
    case 'metadata.labels':
      return printMap(pod.metadata?.labels);
    case 'metadata.annotations':
      return printMap(pod.metadata?.annotations);
    case 'spec.nodeName':
      return pod.spec?.nodeName ?? '';
    case 'spec.serviceAccountName':
      return pod.spec?.serviceAccountName ?? '';
    case 'status.podIP':
      return facts.podIPs[0] ?? '';
    case 'status.podIPs':
      return facts.podIPs.join(',');
    case 'status.hostIP':
      return facts.hostIPs[0] ?? '';
    case 'status.hostIPs':
      return facts.hostIPs.join(',');
    default:
      return undefined;
  }
}

function printMap(map: Readonly<Record<string, string>> = {}): string {
  const lines = Object.entries(map).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return lines.sort().join('\n');
}
