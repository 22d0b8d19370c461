import type { ConfigMap, DaemonSet, Service, ServiceAccount } from '../../kube/generated/types.ts';
import type { IPFamily } from '../config/cluster-config.ts';
import type { Manifest } from './parse-manifests.ts';

export interface NodeCacheOptions {
  readonly domain: string;
  readonly families: readonly IPFamily[];
  /** Where the cache of every node listens. */
  readonly addresses: readonly string[];
}

/** Where the cache of a node listens: link-local, as its manifest has it; in IPv6 a unique local address does that. */
export function nodeCacheAddresses(families: readonly IPFamily[]): readonly string[] {
  return families.map((family) => ({ IPv4: '169.254.20.10', IPv6: 'fd00:169:254:20::10' })[family]);
}

type NodeCacheObject = (ConfigMap | DaemonSet | Service | ServiceAccount) & Manifest;

const NAME = 'node-local-dns';
const labels = { 'k8s-app': NAME };
const metadata = { name: NAME, namespace: 'kube-system', labels };

/** NodeLocal DNSCache as its manifest deploys it: ServiceAccount, ConfigMap, DaemonSet, and a second Service of the DNS servers. */
export function buildNodeCacheObjects(options: NodeCacheOptions): readonly NodeCacheObject[] {
  const port = (name: string, protocol: string) => ({ name, port: 53, targetPort: 53, protocol });
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { ...metadata, name: 'kube-dns-upstream', labels: { 'k8s-app': 'kube-dns' } },
      spec: {
        ipFamilies: options.families.slice(0, 1),
        ipFamilyPolicy: 'SingleStack',
        selector: { 'k8s-app': 'kube-dns' },
        ports: [port('dns', 'UDP'), port('dns-tcp', 'TCP')],
      },
    },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { Corefile: buildCorefile(options) } },
    { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata, spec: daemonSetSpec(options.addresses) },
  ];
}

function buildCorefile({ domain, addresses }: NodeCacheOptions): string {
  const bind = addresses.join(' ');
  const forward = 'forward . __PILLAR__CLUSTER__DNS__ {\n        force_tcp\n    }';
  const cached = 'cache 30';
  const block = (zone: string, { cache = cached, to = forward, more = '' } = {}): string =>
    `${zone}:53 {
    errors
    ${cache}
    reload
    loop
    bind ${bind}
    ${to}
    prometheus :9253
${more}}
`;
  return [
    block(domain, {
      cache: 'cache {\n        success 9984 30\n        denial 9984 5\n    }',
      more: `    health ${bracketed(addresses[0]!)}:8080\n`,
    }),
    block('in-addr.arpa'),
    block('ip6.arpa'),
    block('.', { to: 'forward . __PILLAR__UPSTREAM__SERVERS__' }),
  ].join('');
}

function daemonSetSpec(addresses: readonly string[]): NonNullable<DaemonSet['spec']> {
  const host = addresses[0]!;
  return {
    selector: { matchLabels: labels },
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '10%' } },
    template: {
      metadata: { labels },
      spec: {
        priorityClassName: 'system-node-critical',
        serviceAccountName: NAME,
        hostNetwork: true,
        dnsPolicy: 'Default',
        tolerations: [{ operator: 'Exists' }],
        containers: [
          {
            name: 'node-cache',
            image: 'registry.k8s.io/dns/k8s-dns-node-cache:1.26.4',
            args: ['-localip', addresses.join(','), '-conf', '/etc/Corefile', '-upstreamsvc', 'kube-dns-upstream'],
            ports: [{ name: 'metrics', containerPort: 9253, protocol: 'TCP' }],
            readinessProbe: { httpGet: { host, path: '/health', port: 8080 }, periodSeconds: 1 },
            livenessProbe: {
              httpGet: { host, path: '/health', port: 8080 },
              initialDelaySeconds: 60,
              timeoutSeconds: 5,
            },
            volumeMounts: [{ name: 'config-volume', mountPath: '/etc/coredns' }],
          },
        ],
        volumes: [
          { name: 'config-volume', configMap: { name: NAME, items: [{ key: 'Corefile', path: 'Corefile.base' }] } },
        ],
      },
    },
  };
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
