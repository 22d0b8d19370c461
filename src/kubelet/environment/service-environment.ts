import type { Service } from '../../kube/generated/types.ts';

/**
 * The variables that announce Services to a container: NAME_SERVICE_HOST, NAME_SERVICE_PORT[_PORTNAME] and the older
 * NAME_PORT_80_TCP family. Only Services with a cluster IP; `default/kubernetes` always, the others of the pod's own
 * namespace when service links are on.
 */
export function serviceEnvironment(
  services: readonly Service[],
  pod: { readonly namespace: string; readonly enableServiceLinks: boolean },
): Readonly<Record<string, string>> {
  const chosen = new Map<string, Service>();
  for (const service of services) {
    const { name = '', namespace } = service.metadata ?? {};
    if (!hasClusterIP(service)) continue;
    if (namespace === pod.namespace && pod.enableServiceLinks) chosen.set(name, service);
    else if (namespace === 'default' && name === 'kubernetes' && !chosen.has(name)) chosen.set(name, service);
  }
  const sorted = [...chosen].sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.assign({}, ...sorted.map(([name, service]) => variablesOf(name, service)));
}

function hasClusterIP({ spec }: Service): boolean {
  return spec?.clusterIP !== undefined && spec.clusterIP !== '' && spec.clusterIP !== 'None';
}

function variablesOf(name: string, { spec }: Service): Record<string, string> {
  const prefix = name.toUpperCase().replaceAll('-', '_');
  const ip = spec?.clusterIP ?? '';
  const ports = spec?.ports ?? [];
  const variables: Record<string, string> = { [`${prefix}_SERVICE_HOST`]: ip };
  const [first] = ports;
  if (first === undefined) return variables;
  variables[`${prefix}_SERVICE_PORT`] = String(first.port);
  for (const { name: portName, port } of ports) {
    if (portName) variables[`${prefix}_SERVICE_PORT_${portName.toUpperCase().replaceAll('-', '_')}`] = String(port);
  }
  const host = ip.includes(':') ? `[${ip}]` : ip;
  variables[`${prefix}_PORT`] = `${(first.protocol ?? 'TCP').toLowerCase()}://${host}:${first.port}`;
  for (const { port, protocol = 'TCP' } of ports) {
    const link = `${prefix}_PORT_${port}_${protocol}`;
    variables[link] = `${protocol.toLowerCase()}://${host}:${port}`;
    variables[`${link}_PROTO`] = protocol.toLowerCase();
    variables[`${link}_PORT`] = String(port);
    variables[`${link}_ADDR`] = ip;
  }
  return variables;
}
