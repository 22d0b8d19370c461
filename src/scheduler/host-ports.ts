import type { Pod } from '../kube/generated/types.ts';

/** A port of the node that a pod takes. */
export interface HostPort {
  readonly ip: string;
  readonly protocol: string;
  readonly port: number;
}

/** The host ports of a pod's containers; a pod on the host network takes all its container ports. */
export function hostPortsOf({ spec }: Pod): readonly HostPort[] {
  const sidecars = (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  const ports = [...(spec?.containers ?? []), ...sidecars].flatMap((container) => container.ports ?? []);
  return ports.flatMap(({ hostPort, containerPort, hostIP, protocol = 'TCP' }) => {
    const port = hostPort ?? (spec?.hostNetwork ? containerPort : 0);
    return port === 0 ? [] : [{ ip: hostIP || '0.0.0.0', protocol, port }];
  });
}

/** True when both cannot be taken on one node: same port and protocol, and the same address or one of them every address. */
export function portsConflict(a: HostPort, b: HostPort): boolean {
  return a.port === b.port && a.protocol === b.protocol && (a.ip === b.ip || isEvery(a.ip) || isEvery(b.ip));
}

function isEvery(ip: string): boolean {
  return ip === '0.0.0.0' || ip === '::';
}
