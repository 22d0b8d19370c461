import type { Shape } from '../../kube/object-shape.ts';

const METADATA: Shape = { name: 'text', namespace: 'text', labels: 'texts by name', annotations: 'texts by name' };
const NAMED: Shape = [{ name: 'text' }];

/** Every field that a proxy reads, by kind. */
export const SHAPES = {
  Service: {
    metadata: METADATA,
    spec: {
      type: 'text',
      clusterIP: 'text',
      clusterIPs: ['text'],
      ipFamilies: ['text'],
      externalIPs: ['text'],
      loadBalancerSourceRanges: ['text'],
      sessionAffinity: 'text',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 'number' } },
      internalTrafficPolicy: 'text',
      externalTrafficPolicy: 'text',
      healthCheckNodePort: 'number',
      ports: [{ name: 'text', protocol: 'text', port: 'number', nodePort: 'number' }],
    },
    status: { loadBalancer: { ingress: [{ ip: 'text', ipMode: 'text' }] } },
  },
  EndpointSlice: {
    metadata: METADATA,
    addressType: 'text',
    ports: [{ name: 'text', protocol: 'text', port: 'number' }],
    endpoints: [
      {
        addresses: ['text'],
        nodeName: 'text',
        conditions: { ready: 'flag', serving: 'flag', terminating: 'flag' },
        hints: { forZones: NAMED, forNodes: NAMED },
      },
    ],
  },
  Node: {
    metadata: METADATA,
    spec: { podCIDRs: ['text'] },
    status: { addresses: [{ type: 'text', address: 'text' }] },
  },
  ServiceCIDR: { metadata: METADATA, spec: { cidrs: ['text'] } },
} as const satisfies Record<string, Shape>;
