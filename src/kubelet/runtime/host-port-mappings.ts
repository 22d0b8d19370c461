import { isIPv6 } from 'node:net';
import type { Pod } from '../../kube/generated/types.ts';

/** A port of the node that leads to a port of a pod. */
export interface HostPort {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly hostPort: number;
  /** Only this address of the node; undefined means every one of the pod address's family. */
  readonly hostIP?: string | undefined;
  readonly podIP: string;
  readonly containerPort: number;
}

const ANY = ['', '0.0.0.0', '::'];

/** The host ports that a pod asks for, one for each of its addresses; none on the host network, where ports are the node's anyway. */
export function hostPortMappings({ spec }: Pod, podIPs: readonly string[]): readonly HostPort[] {
  if (spec?.hostNetwork === true) return [];
  const sidecars = (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  const ports = [...(spec?.containers ?? []), ...sidecars].flatMap((container) => container.ports ?? []);
  return ports.flatMap(({ hostPort, hostIP = '', containerPort, protocol = 'TCP' }) => {
    if (hostPort === undefined || hostPort === 0) return [];
    const isFixed = !ANY.includes(hostIP);
    const reached = isFixed ? podIPs.filter((podIP) => isIPv6(podIP) === isIPv6(hostIP)) : podIPs;
    return reached.map((podIP) => ({
      protocol: protocol.toLowerCase() as HostPort['protocol'],
      hostPort,
      hostIP: isFixed ? hostIP : undefined,
      podIP,
      containerPort,
    }));
  });
}
