import { familyOf } from '../../ipam/address.ts';
import { addressAt, parseCIDR } from '../../ipam/cidr.ts';
import type { EndpointSlice, Endpoints, Service } from '../../kube/generated/types.ts';
import type { ControllersConfig } from '../config.ts';
import { SERVICE_NAME, SKIP_MIRROR } from '../endpoint-slice/slice-labels.ts';

const NAME = { name: 'kubernetes', namespace: 'default' };

/** default/kubernetes and its endpoints, as the API servers themselves write them: single stack, of the primary family. */
export function buildKubernetesService(
  config: Pick<ControllersConfig, 'serviceCIDRs' | 'apiServer' | 'apiServerPort'>,
): {
  readonly service: Service;
  readonly endpoints: Endpoints;
  readonly slice: EndpointSlice;
} {
  const { serviceCIDRs, apiServer, apiServerPort = 6443 } = config;
  const range = parseCIDR(serviceCIDRs[0] ?? '');
  const clusterIP = addressAt(range, 1);
  const addresses = apiServer.filter((address) => familyOf(address) === range.family).sort();
  const port = { name: 'https', port: apiServerPort, protocol: 'TCP' };
  return {
    service: {
      metadata: { ...NAME, labels: { component: 'apiserver', provider: 'kubernetes' } },
      spec: {
        type: 'ClusterIP',
        clusterIP,
        clusterIPs: [clusterIP],
        ipFamilies: [range.family],
        ipFamilyPolicy: 'SingleStack',
        sessionAffinity: 'None',
        ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: apiServerPort }],
      },
    },
    endpoints: {
      metadata: { ...NAME, labels: { [SKIP_MIRROR]: 'true' } },
      subsets: [{ addresses: addresses.map((ip) => ({ ip })), ports: [port] }],
    },
    slice: {
      metadata: { ...NAME, labels: { [SERVICE_NAME]: NAME.name } },
      addressType: range.family,
      ports: [port],
      endpoints: addresses.map((ip) => ({ addresses: [ip], conditions: { ready: true } })),
    },
  };
}
