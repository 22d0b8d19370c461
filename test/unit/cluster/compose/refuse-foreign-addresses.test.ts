import { describe, expect, it } from 'vitest';
import { refuseForeignAddresses } from '../../../../src/cluster/compose/refuse-foreign-addresses.ts';
import type { Service } from '../../../../src/kube/generated/types.ts';
import type { ServiceAllocator } from '../../../../src/kube/service-allocator.ts';

const allocator: ServiceAllocator = { allocate: ({ service }) => service, claims: () => [] };
const allocate = (spec: Service['spec']): Service =>
  refuseForeignAddresses(allocator).allocate({
    service: { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace: 'default' }, spec },
    previous: undefined,
    isFree: () => true,
  });

describe('a Service of the loopback tier', () => {
  it('may have external addresses of 127.0.0.0/8, TCP and UDP', () => {
    const spec = { externalIPs: ['127.18.7.7'], ports: [{ port: 80 }, { port: 53, protocol: 'UDP' }] };
    expect(allocate(spec).spec).toBe(spec);
  });

  it('is refused with others, each by its field', () => {
    const spec = { externalIPs: ['127.18.7.7', '192.0.2.1'], ports: [{ port: 80 }, { port: 81, protocol: 'SCTP' }] };
    expect(() => allocate(spec)).toThrow(/spec.externalIPs\[1\]: Forbidden.*spec.ports\[1\].protocol: Forbidden/s);
  });
});
