import type {
  EndpointSlice,
  Endpoints,
  Ingress,
  IngressClass,
  IPAddress,
  NetworkPolicy,
  Service,
  ServiceCIDR,
} from '../../kube/generated/types.ts';
import { defineColumns, firstThree } from './define-columns.ts';
import { age } from './human-duration.ts';
import { labelsText, selectorText } from './workload-columns.ts';

export const serviceColumns = defineColumns<Service>(
  ['Name', 'Type', 'Cluster-IP', 'External-IP', 'Port(s)', 'Age', '+Selector'],
  (service, now) => [
    service.metadata?.name,
    service.spec?.type,
    service.spec?.clusterIPs?.[0] ?? '<none>',
    externalIP(service),
    portsText(service),
    age(service.metadata?.creationTimestamp, now),
    labelsText(service.spec?.selector),
  ],
);

function externalIP({ spec, status }: Service): string {
  const externalIPs = spec?.externalIPs ?? [];
  if (spec?.type === 'ExternalName') return spec.externalName ?? '';
  if (spec?.type !== 'LoadBalancer') return externalIPs.join(',') || '<none>';
  const balancer = ingressAddresses(status?.loadBalancer?.ingress);
  return [...balancer, ...externalIPs].join(',') || '<pending>';
}

interface IngressPoint {
  readonly ip?: string | undefined;
  readonly hostname?: string | undefined;
}

function ingressAddresses(points: readonly IngressPoint[] | undefined): string[] {
  return [
    ...new Set((points ?? []).map(({ ip, hostname }) => ip || hostname || '').filter((text) => text !== '')),
  ].sort();
}

function portsText({ spec }: Service): string {
  const ports = (spec?.ports ?? []).map(({ port, nodePort, protocol }) =>
    nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`,
  );
  return ports.join(',') || '<none>';
}

export const endpointsColumns = defineColumns<Endpoints>(['Name', 'Endpoints', 'Age'], ({ metadata, subsets }, now) => {
  const list = (subsets ?? []).flatMap(({ addresses = [], ports = [] }) =>
    ports.length === 0
      ? addresses.map(({ ip }) => ip)
      : ports.flatMap(({ port }) =>
          addresses.map(({ ip }) => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`)),
        ),
  );
  return [metadata?.name, subsets?.length ? firstThree(list, '') : '<none>', age(metadata?.creationTimestamp, now)];
});

export const endpointSliceColumns = defineColumns<EndpointSlice>(
  ['Name', 'AddressType', 'Ports', 'Endpoints', 'Age'],
  ({ metadata, addressType, ports, endpoints }, now) => [
    metadata?.name,
    addressType,
    firstThree(
      (ports ?? []).map(({ port, name }) => String(port ?? name ?? '*')),
      '<unset>',
    ),
    firstThree(
      (endpoints ?? []).flatMap(({ addresses }) => addresses),
      '<unset>',
    ),
    age(metadata?.creationTimestamp, now),
  ],
);

export const ingressColumns = defineColumns<Ingress>(
  ['Name', 'Class', 'Hosts', 'Address', 'Ports', 'Age'],
  ({ metadata, spec, status }, now) => [
    metadata?.name,
    spec?.ingressClassName ?? '<none>',
    hostsText(spec?.rules ?? []),
    ingressAddresses(status?.loadBalancer?.ingress).join(','),
    spec?.tls?.length ? '80, 443' : '80',
    age(metadata?.creationTimestamp, now),
  ],
);

function hostsText(rules: readonly { readonly host?: string | undefined }[]): string {
  const hosts = rules.map(({ host }) => host ?? '').filter((host) => host !== '');
  if (hosts.length === 0) return '*';
  const shown = hosts.slice(0, 3).join(',');
  return hosts.length > 3 ? `${shown} + ${rules.length - 3} more...` : shown;
}

const isDefault = (annotations: Readonly<Record<string, string>> | undefined): boolean =>
  annotations?.['ingressclass.kubernetes.io/is-default-class'] === 'true';

export const ingressClassColumns = defineColumns<IngressClass>(
  ['Name', 'Controller', 'Parameters', 'Age'],
  ({ metadata, spec }, now) => {
    const { parameters } = spec ?? {};
    const kind = parameters?.apiGroup ? `${parameters.kind}.${parameters.apiGroup}` : parameters?.kind;
    return [
      `${metadata?.name}${isDefault(metadata?.annotations) ? ' (default)' : ''}`,
      spec?.controller,
      parameters ? `${kind}/${parameters.name}` : '<none>',
      age(metadata?.creationTimestamp, now),
    ];
  },
);

export const networkPolicyColumns = defineColumns<NetworkPolicy>(
  ['Name', 'Pod-Selector', 'Age'],
  ({ metadata, spec }, now) => [metadata?.name, selectorText(spec?.podSelector), age(metadata?.creationTimestamp, now)],
);

export const serviceCIDRColumns = defineColumns<ServiceCIDR>(['Name', 'CIDRs', 'Age'], ({ metadata, spec }, now) => [
  metadata?.name,
  spec?.cidrs?.join(','),
  age(metadata?.creationTimestamp, now),
]);

export const ipAddressColumns = defineColumns<IPAddress>(['Name', 'ParentRef', 'Age'], ({ metadata, spec }, now) => {
  const parent = spec?.parentRef;
  const resource = parent?.group ? `${parent.resource}.${parent.group}` : parent?.resource;
  const reference = [resource?.toLowerCase(), parent?.namespace, parent?.name].filter(Boolean).join('/');
  return [metadata?.name, reference || '<none>', age(metadata?.creationTimestamp, now)];
});
