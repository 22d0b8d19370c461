import type { Shape } from '../kube/object-shape.ts';

const METADATA: Shape = { name: 'text', namespace: 'text', labels: 'texts by name', annotations: 'texts by name' };
const PORTS: Shape = [{ name: 'text', protocol: 'text', port: 'number' }];

/** Every field that DNS reads, by kind. */
export const SHAPES: Readonly<Record<string, Shape>> = {
  Namespace: { metadata: METADATA },
  Service: {
    metadata: METADATA,
    spec: {
      type: 'text',
      clusterIP: 'text',
      clusterIPs: ['text'],
      externalName: 'text',
      externalIPs: ['text'],
      ports: PORTS,
    },
    status: { loadBalancer: { ingress: [{ ip: 'text', hostname: 'text' }] } },
  },
  EndpointSlice: {
    metadata: METADATA,
    ports: PORTS,
    endpoints: [
      {
        addresses: ['text'],
        conditions: { ready: 'flag' },
        hostname: 'text',
        targetRef: { name: 'text' },
        zone: 'text',
      },
    ],
  },
  Pod: { metadata: METADATA, status: { phase: 'text', podIP: 'text' } },
  ServiceImport: { metadata: METADATA, spec: { type: 'text', ips: ['text'], ports: PORTS } },
};
