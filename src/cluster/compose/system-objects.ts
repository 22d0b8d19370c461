import { defaultCorefile } from '../../dns/default-corefile.ts';
import type { ConfigMap, Deployment, Service, ServiceAccount } from '../../kube/generated/types.ts';
import type { IPFamily } from '../config/cluster-config.ts';
import type { Manifest } from './parse-manifests.ts';

export interface SystemObjectsOptions {
  readonly domain: string;
  readonly clusterDNS: readonly string[];
  readonly families: readonly IPFamily[];
  readonly replicas: number;
}

type SystemObject = (ConfigMap | Deployment | Service | ServiceAccount) & Manifest;

/** Cluster DNS as kubeadm deploys it: ServiceAccount, ConfigMap and Deployment coredns, Service kube-dns. */
export function buildSystemObjects({
  domain,
  clusterDNS,
  families,
  replicas,
}: SystemObjectsOptions): readonly SystemObject[] {
  const labels = { 'k8s-app': 'kube-dns' };
  const metadata = { name: 'coredns', namespace: 'kube-system', labels };
  const port = (name: string, number: number, protocol: string) => ({
    name,
    port: number,
    targetPort: number,
    protocol,
  });
  const service: Service & Manifest = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'kube-dns',
      namespace: 'kube-system',
      labels: { ...labels, 'kubernetes.io/cluster-service': 'true', 'kubernetes.io/name': 'CoreDNS' },
      annotations: { 'prometheus.io/port': '9153', 'prometheus.io/scrape': 'true' },
    },
    spec: {
      clusterIP: clusterDNS[0],
      clusterIPs: clusterDNS,
      ipFamilies: families,
      ipFamilyPolicy: families.length > 1 ? 'RequireDualStack' : 'SingleStack',
      selector: labels,
      ports: [port('dns', 53, 'UDP'), port('dns-tcp', 53, 'TCP'), port('metrics', 9153, 'TCP')],
    },
  };
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'coredns', namespace: 'kube-system' } },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'coredns', namespace: 'kube-system' },
      data: { Corefile: defaultCorefile({ clusterDomain: domain }) },
    },
    service,
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: deploymentSpec(labels, replicas) },
  ];
}

function deploymentSpec(labels: Readonly<Record<string, string>>, replicas: number): NonNullable<Deployment['spec']> {
  return {
    replicas,
    selector: { matchLabels: labels },
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
    template: {
      metadata: { labels },
      spec: {
        priorityClassName: 'system-cluster-critical',
        serviceAccountName: 'coredns',
        dnsPolicy: 'Default',
        tolerations: [{ key: 'CriticalAddonsOnly', operator: 'Exists' }],
        containers: [
          {
            name: 'coredns',
            image: 'registry.k8s.io/coredns/coredns:v1.12.1',
            args: ['-conf', '/etc/coredns/Corefile'],
            ports: [
              { name: 'dns', containerPort: 53, protocol: 'UDP' },
              { name: 'dns-tcp', containerPort: 53, protocol: 'TCP' },
              { name: 'metrics', containerPort: 9153, protocol: 'TCP' },
            ],
            volumeMounts: [{ name: 'config-volume', mountPath: '/etc/coredns', readOnly: true }],
            readinessProbe: { httpGet: { path: '/ready', port: 8181, scheme: 'HTTP' } },
            livenessProbe: {
              httpGet: { path: '/health', port: 8080, scheme: 'HTTP' },
              initialDelaySeconds: 60,
              timeoutSeconds: 5,
              failureThreshold: 5,
            },
          },
        ],
        volumes: [
          { name: 'config-volume', configMap: { name: 'coredns', items: [{ key: 'Corefile', path: 'Corefile' }] } },
        ],
      },
    },
  };
}
