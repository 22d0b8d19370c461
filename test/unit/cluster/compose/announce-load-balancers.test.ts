import { describe, expect, it } from 'vitest';
import { chooseAnnouncers } from '../../../../src/cluster/compose/announce-load-balancers.ts';
import type { EndpointSlice, Node, Service } from '../../../../src/kube/generated/types.ts';

const node = (name: string, status = 'True'): Node => ({
  metadata: { name },
  status: { conditions: [{ type: 'Ready', status }] },
});
const service = (ip: string, spec: Service['spec'] = {}, ipMode?: string): Service => ({
  metadata: { name: 'web', namespace: 'default' },
  spec: { type: 'LoadBalancer', ...spec },
  status: { loadBalancer: { ingress: [{ ip, ipMode }] } },
});
const slice = (nodeName: string, ready: boolean): EndpointSlice => ({
  addressType: 'IPv4',
  metadata: { name: `web-${nodeName}`, namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
  endpoints: [{ addresses: ['10.244.0.5'], nodeName, conditions: { ready } }],
});
const nodes = [node('a'), node('b'), node('c')];
const choose = (services: Service[], slices: EndpointSlice[] = [], before: [string, string][] = [], among = nodes) =>
  Object.fromEntries(chooseAnnouncers({ services, slices, nodes: among }, new Map(before)));

describe('chooseAnnouncers', () => {
  it('lets an address stay where it is', () => {
    for (const name of ['a', 'b', 'c'])
      expect(choose([service('10.0.0.1')], [], [['10.0.0.1', name]])).toEqual({ '10.0.0.1': name });
  });
  it('moves an address away from a node that is not ready', () => {
    expect(choose([service('10.0.0.1')], [], [['10.0.0.1', 'a']], [node('a', 'Unknown'), node('b')])).toEqual({
      '10.0.0.1': 'b',
    });
  });
  it('with externalTrafficPolicy Local announces only where a ready endpoint is', () => {
    const local = service('10.0.0.1', { externalTrafficPolicy: 'Local' });
    expect(choose([local], [slice('a', false), slice('c', true)])).toEqual({ '10.0.0.1': 'c' });
    expect(choose([local], [slice('a', false)])).toEqual({});
  });
  it('leaves addresses of ipMode Proxy and Services of other types alone', () => {
    expect(choose([service('10.0.0.1', {}, 'Proxy'), service('10.0.0.2', { type: 'ClusterIP' })])).toEqual({});
  });
  it('spreads addresses over the nodes', () => {
    const many = Array.from({ length: 30 }, (_, index) => service(`10.0.0.${index}`));
    expect(new Set(Object.values(choose(many))).size).toBe(3);
  });
});
