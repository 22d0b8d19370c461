import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createServiceAllocator } from '../../../../src/controllers/service-allocator/service-allocator.ts';
import type { Service, ServiceSpec } from '../../../../src/kube/generated/types.ts';
import { ApiStatusError } from '../../../../src/kube/status.ts';
import { seededRandom } from '../../../helpers/seeded-random.ts';

const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined, freq: 3 });
const address = fc.oneof(
  fc.integer({ min: 0, max: 40 }).map((n) => `10.96.0.${n}`),
  fc.integer({ min: 0, max: 300 }).map((n) => `fd00::${n.toString(16)}`),
  fc.constantFrom('None', '192.0.2.1', 'x'),
);
const port = fc.record({
  name: fc.constantFrom('a', 'b', 'c'),
  port: fc.constantFrom(53, 80, 443),
  protocol: fc.constantFrom('TCP', 'UDP'),
  nodePort: maybe(fc.integer({ min: 29998, max: 30022 })),
});
// Anything that passes for a Service spec, and some that does not.
const spec: fc.Arbitrary<ServiceSpec> = fc.record({
  type: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'),
  clusterIP: maybe(address),
  clusterIPs: maybe(fc.array(address, { maxLength: 3 })),
  ipFamilies: maybe(fc.array(fc.constantFrom('IPv4', 'IPv6', 'IPv5'), { maxLength: 2 })),
  ipFamilyPolicy: maybe(fc.constantFrom('SingleStack', 'PreferDualStack', 'RequireDualStack', 'Other')),
  externalTrafficPolicy: maybe(fc.constantFrom('Cluster', 'Local')),
  allocateLoadBalancerNodePorts: maybe(fc.boolean()),
  healthCheckNodePort: maybe(fc.integer({ min: 30000, max: 30019 })),
  selector: maybe(fc.constant({ app: 'web' })),
  ports: fc.uniqueArray(port, { maxLength: 3, selector: ({ name }) => name }),
});
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('write' as const), name: fc.nat(7), spec }) },
  // A client that reads, changes a little and writes back.
  { weight: 3, arbitrary: fc.record({ do: fc.constant('change' as const), name: fc.nat(7), spec }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), name: fc.nat(7), spec }) },
);

const CIDRS = [['10.96.0.0/27'], ['fd00::/120'], ['10.96.0.0/27', 'fd00::/120'], ['fd00::/120', '10.96.0.0/27']];

test('whatever is written, no two Services hold the same, and what was answered is accepted as it is', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...CIDRS),
      fc.array(step, { maxLength: 25 }),
      fc.integer(),
      (serviceCIDRs, history, seed) => {
        const allocator = createServiceAllocator({
          serviceCIDRs,
          nodePortRange: '30000-30019',
          random: seededRandom(seed),
        });
        const stored = new Map<number, Service>();
        const write = (name: number, wanted: ServiceSpec): Service => {
          const taken = new Set(
            [...stored]
              .filter(([other]) => other !== name)
              .flatMap(([, other]) => allocator.claims(other))
              .map((claim) => JSON.stringify(claim)),
          );
          const service: Service = { metadata: { name: `s${name}` }, spec: wanted };
          const written = allocator.allocate({
            service,
            previous: stored.get(name),
            isFree: (claim) => !taken.has(JSON.stringify(claim)),
          });
          // As the server's validation has it.
          const { type, clusterIP, ipFamilies, ipFamilyPolicy } = written.spec!;
          if (type === 'ExternalName' && (clusterIP ?? ipFamilies ?? ipFamilyPolicy))
            throw new ApiStatusError('Invalid', 'may not be set for ExternalName services');
          return written;
        };
        for (const { do: action, name, spec: wanted } of history) {
          const before = stored.get(name);
          if (action === 'delete') stored.delete(name);
          else {
            try {
              const small = { type: wanted.type, ipFamilyPolicy: wanted.ipFamilyPolicy, ports: wanted.ports };
              const written = write(name, action === 'change' && before ? { ...before.spec!, ...small } : wanted);
              stored.set(name, written);
              expect(write(name, written.spec!).spec).toEqual(written.spec);
              checkSpec(written.spec!, serviceCIDRs.length);
            } catch (error) {
              if (!(error instanceof ApiStatusError)) throw error;
              expect([422, 500]).toContain(error.status);
              expect(error.message).not.toContain('undefined');
            }
          }
          const claims = [...stored.values()].flatMap((service) =>
            allocator.claims(service).map((claim) => JSON.stringify(claim)),
          );
          expect(new Set(claims).size).toBe(claims.length);
        }
      },
    ),
    { numRuns: 400 },
  );
});

function checkSpec(written: ServiceSpec, families: number): void {
  const { type, clusterIP, clusterIPs = [], ipFamilies = [], ports = [] } = written;
  if (type === 'ExternalName') return;
  expect(clusterIPs[0]).toBe(clusterIP);
  if (clusterIP !== 'None') {
    expect(clusterIPs.length).toBe(ipFamilies.length);
    expect(clusterIPs.map((ip) => (ip.includes(':') ? 'IPv6' : 'IPv4'))).toEqual(ipFamilies);
    expect(ipFamilies.length).toBeLessThanOrEqual(families);
  }
  if (written.ipFamilyPolicy === 'RequireDualStack') expect(ipFamilies).toHaveLength(2);
  if (type === 'NodePort') for (const { nodePort = 0 } of ports) expect(nodePort).toBeGreaterThanOrEqual(30000);
}
