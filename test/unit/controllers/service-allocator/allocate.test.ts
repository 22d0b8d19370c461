import { describe, expect, test } from 'vitest';
import {
  createServiceAllocator,
  type ServiceAllocatorOptions,
} from '../../../../src/controllers/service-allocator/service-allocator.ts';
import type { Service, ServiceSpec } from '../../../../src/kube/generated/types.ts';
import { keyOf } from '../../../../src/kube/resources.ts';
import type { ServiceClaim } from '../../../../src/kube/service-allocator.ts';

const DUAL = ['10.96.0.0/24', 'fd00:10:96::/112'];
const IPV4 = ['10.96.0.0/24'];

/** An API server reduced to its claims: it writes, updates and deletes Services as the allocator answers. */
function cluster(options: Partial<ServiceAllocatorOptions> = {}) {
  const allocator = createServiceAllocator({ serviceCIDRs: DUAL, ...options });
  const services = new Map<string, Service>();
  const text = (claim: ServiceClaim): string => JSON.stringify(claim);
  const write = (name: string, spec: ServiceSpec): ServiceSpec => {
    const service: Service = { metadata: { name, namespace: 'default' }, spec };
    const key = keyOf(service);
    const others = [...services].filter(([other]) => other !== key).flatMap(([, other]) => allocator.claims(other));
    const taken = new Set(others.map(text));
    const written = allocator.allocate({
      service,
      previous: services.get(key),
      isFree: (claim) => !taken.has(text(claim)),
    });
    services.set(key, written);
    return written.spec!;
  };
  return {
    write,
    claims: (name: string) => allocator.claims(services.get(`default/${name}`)!),
    remove: (name: string) => services.delete(`default/${name}`),
  };
}

const web = (spec: Partial<ServiceSpec> = {}): ServiceSpec => ({
  type: 'ClusterIP',
  selector: { app: 'web' },
  ports: [{ port: 80, protocol: 'TCP' }],
  ...spec,
});
const nodePort = (spec: Partial<ServiceSpec> = {}): ServiceSpec =>
  web({ type: 'NodePort', externalTrafficPolicy: 'Cluster', ...spec });
const causes = (message: string, field: string) =>
  expect.objectContaining({
    status: 422,
    details: expect.objectContaining({
      causes: [expect.objectContaining({ field, message: expect.stringContaining(message) })],
    }),
  });

describe('cluster IPs', () => {
  test('a Service gets one address of the primary family unless it asks for more', () => {
    expect(cluster().write('a', web())).toMatchObject({
      clusterIP: '10.96.0.17',
      clusterIPs: ['10.96.0.17'],
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
    });
  });

  test('the families can be asked for in either order', () => {
    const spec = cluster().write('a', web({ ipFamilies: ['IPv6'], ipFamilyPolicy: 'PreferDualStack' }));
    expect(spec).toMatchObject({
      clusterIP: 'fd00:10:96::101',
      clusterIPs: ['fd00:10:96::101', '10.96.0.17'],
      ipFamilies: ['IPv6', 'IPv4'],
    });
  });

  test('PreferDualStack on a single stack cluster is single stack, RequireDualStack is refused', () => {
    const single = cluster({ serviceCIDRs: IPV4 });
    expect(single.write('a', web({ ipFamilyPolicy: 'PreferDualStack' }))).toMatchObject({
      ipFamilies: ['IPv4'],
      clusterIPs: ['10.96.0.17'],
    });
    expect(() => single.write('b', web({ ipFamilyPolicy: 'RequireDualStack' }))).toThrow(
      causes('this cluster is not configured for dual-stack services', 'spec.ipFamilyPolicy'),
    );
    expect(() => single.write('b', web({ ipFamilies: ['IPv6'] }))).toThrow(
      causes('not configured on this cluster', 'spec.ipFamilies[0]'),
    );
    expect(() => single.write('b', web({ clusterIP: 'fd00:10:96::5' }))).toThrow(
      causes('IPv6 is not configured on this cluster', 'spec.clusterIPs[0]'),
    );
  });

  test('an address asked for is given, in canonical text, and its family inferred', () => {
    expect(cluster().write('a', web({ clusterIP: 'FD00:10:96::0005' }))).toMatchObject({
      clusterIP: 'fd00:10:96::5',
      clusterIPs: ['fd00:10:96::5'],
      ipFamilies: ['IPv6'],
    });
  });

  test('an address that another Service has is refused with 422 in the words of the real server', () => {
    const { write } = cluster();
    write('a', web({ clusterIP: '10.96.0.5' }));
    expect(() => write('b', web({ clusterIP: '10.96.0.5' }))).toThrow(
      'Service "b" is invalid: spec.clusterIPs: Invalid value: ["10.96.0.5"]: failed to allocate IP 10.96.0.5: provided IP is already allocated',
    );
  });

  test('an address outside the range is refused with the range', () => {
    expect(() => cluster().write('a', web({ clusterIP: '10.97.0.5' }))).toThrow(
      causes(
        'the provided IP (10.97.0.5) is not in the valid range. The range of valid IPs is 10.96.0.0/24',
        'spec.clusterIPs',
      ),
    );
  });

  test.each<[Partial<ServiceSpec>, string, string]>([
    [{ clusterIPs: ['10.96.0.5'] }, 'must be empty when `clusterIP` is not specified', 'spec.clusterIPs'],
    [{ clusterIP: '10.96.0.5', clusterIPs: ['10.96.0.6'] }, 'first value must match `clusterIP`', 'spec.clusterIPs'],
    [{ clusterIP: 'x' }, 'must be a valid IP address', 'spec.clusterIPs[0]'],
    [
      { clusterIP: 'None', clusterIPs: ['None', '10.96.0.5'] },
      "'None' must be the first and only value",
      'spec.clusterIPs',
    ],
    [
      { clusterIP: '10.96.0.5', clusterIPs: ['10.96.0.5', '10.96.0.6'], ipFamilyPolicy: 'RequireDualStack' },
      'may specify no more than one IP for each IP family',
      'spec.clusterIPs',
    ],
    [
      { clusterIP: '10.96.0.5', ipFamilies: ['IPv6'] },
      'expected an IPv6 value as indicated by `ipFamilies[0]`',
      'spec.clusterIPs[0]',
    ],
    [
      { ipFamilies: ['IPv4', 'IPv6'] },
      "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified",
      'spec.ipFamilyPolicy',
    ],
    [{ ipFamilies: ['IPv5'] }, 'Unsupported value: "IPv5": supported values: "IPv4", "IPv6"', 'spec.ipFamilies[0]'],
    [
      { ipFamilies: ['IPv4', 'IPv4'], ipFamilyPolicy: 'RequireDualStack' },
      'Duplicate value: "IPv4"',
      'spec.ipFamilies[1]',
    ],
    [{ ipFamilyPolicy: 'Both' }, 'Unsupported value: "Both"', 'spec.ipFamilyPolicy'],
  ])('%j is refused', (spec, message, field) => {
    expect(() => cluster().write('a', web(spec))).toThrow(causes(message, field));
  });

  test('a headless Service gets families but no address', () => {
    expect(cluster().write('a', web({ clusterIP: 'None' }))).toMatchObject({
      clusterIPs: ['None'],
      ipFamilies: ['IPv4'],
    });
  });

  test('a headless Service without selector has both families, even on a single stack cluster', () => {
    expect(cluster({ serviceCIDRs: IPV4 }).write('a', web({ clusterIP: 'None', selector: {} }))).toMatchObject({
      ipFamilyPolicy: 'RequireDualStack',
      ipFamilies: ['IPv4', 'IPv6'],
    });
  });

  test('a deleted Service gives its address back', () => {
    const { write, remove } = cluster({ serviceCIDRs: ['10.96.0.0/30'] });
    write('a', web());
    write('b', web());
    expect(() => write('c', web())).toThrow('Internal error occurred: failed to allocate a serviceIP: range is full');
    remove('a');
    expect(write('c', web()).clusterIP).toBe('10.96.0.1');
  });
});

describe('changes of a Service', () => {
  test('a client that leaves out what was allocated keeps it', () => {
    const { write } = cluster();
    const first = write('a', nodePort({ ipFamilyPolicy: 'RequireDualStack' }));
    expect(write('a', nodePort({ ipFamilyPolicy: 'RequireDualStack' }))).toEqual(first);
  });

  test('the cluster IP may not change once set, nor be unset', () => {
    const { write } = cluster();
    write('a', web({ clusterIP: '10.96.0.5' }));
    expect(() => write('a', web({ clusterIP: '10.96.0.6' }))).toThrow(
      causes('may not change once set', 'spec.clusterIPs[0]'),
    );
    expect(() => write('a', web({ clusterIP: 'None' }))).toThrow(
      causes('may not change once set', 'spec.clusterIPs[0]'),
    );
  });

  test('ClusterIP to ExternalName releases the address (N25), and back gets one (N26)', () => {
    const { write, claims } = cluster();
    const before = write('a', web());
    const external = write('a', { ...before, type: 'ExternalName', externalName: 'example.com' });
    expect(external).not.toHaveProperty('clusterIP');
    expect(external).not.toHaveProperty('clusterIPs');
    expect(external).not.toHaveProperty('ipFamilies');
    expect(external).not.toHaveProperty('ipFamilyPolicy');
    expect(claims('a')).toEqual([]);
    expect(write('a', web())).toMatchObject({ clusterIP: '10.96.0.18', ipFamilies: ['IPv4'] });
  });

  test('NodePort to ExternalName releases address and node ports (N28), and back allocates both (N27)', () => {
    const { write, claims } = cluster();
    const before = write('a', nodePort());
    const external = write('a', { ...before, type: 'ExternalName', externalName: 'example.com' });
    expect(external.ports).toEqual([{ port: 80, protocol: 'TCP' }]);
    expect(external).not.toHaveProperty('externalTrafficPolicy');
    expect(claims('a')).toEqual([]);
    expect(write('a', nodePort())).toMatchObject({ clusterIP: '10.96.0.18', ports: [{ nodePort: 30086 }] });
  });

  test('single stack becomes dual stack with a second address and keeps its first (S11)', () => {
    const { write } = cluster();
    const single = write('a', web());
    expect(write('a', { ...single, ipFamilyPolicy: 'PreferDualStack' })).toMatchObject({
      clusterIPs: ['10.96.0.17', 'fd00:10:96::101'],
      ipFamilies: ['IPv4', 'IPv6'],
    });
  });

  test('dual stack becomes single stack by policy alone and releases the second address', () => {
    const { write, claims } = cluster();
    const dual = write('a', web({ ipFamilyPolicy: 'RequireDualStack' }));
    expect(write('a', { ...dual, ipFamilyPolicy: 'SingleStack' })).toMatchObject({
      clusterIPs: ['10.96.0.17'],
      ipFamilies: ['IPv4'],
    });
    expect(claims('a')).toEqual([{ type: 'clusterIP', address: '10.96.0.17' }]);
  });

  test('taking the second family away without the policy is refused', () => {
    const { write } = cluster();
    const dual = write('a', web({ ipFamilyPolicy: 'RequireDualStack' }));
    expect(() => write('a', { ...dual, ipFamilies: ['IPv4'] })).toThrow(
      /must be 'SingleStack' to release the secondary IP family/,
    );
    expect(() => write('a', { ...dual, clusterIPs: [dual.clusterIP!] })).toThrow(
      /must be 'SingleStack' to release the secondary cluster IP/,
    );
  });

  test('a PreferDualStack Service is not upgraded by an unrelated change after the cluster became dual stack', () => {
    const single = createServiceAllocator({ serviceCIDRs: IPV4 });
    const dual = createServiceAllocator({ serviceCIDRs: DUAL });
    const service = { metadata: { name: 'a' }, spec: web({ ipFamilyPolicy: 'PreferDualStack' }) };
    const previous = single.allocate({ service, previous: undefined, isFree: () => true });
    const changed = { ...previous, spec: { ...previous.spec!, sessionAffinity: 'ClientIP' } };
    expect(dual.allocate({ service: changed, previous, isFree: () => true }).spec?.clusterIPs).toEqual(['10.96.0.17']);
  });

  test('the primary family may not change', () => {
    const { write } = cluster();
    const spec = write('a', web());
    expect(() => write('a', { ...spec, ipFamilies: ['IPv6'] })).toThrow(/expected an IPv6 value/);
  });
});

describe('node ports', () => {
  test('one is chosen from the dynamic band', () => {
    expect(cluster().write('a', nodePort()).ports).toEqual([{ port: 80, protocol: 'TCP', nodePort: 30086 }]);
  });

  test('TCP and UDP of one number share one node port (N39)', () => {
    const ports = [
      { name: 'dns', port: 53, protocol: 'UDP' },
      { name: 'dns-tcp', port: 53, protocol: 'TCP' },
    ];
    const { write, claims } = cluster();
    expect(write('a', nodePort({ ports })).ports).toMatchObject([{ nodePort: 30086 }, { nodePort: 30086 }]);
    expect(write('b', nodePort({ ports: [ports[0]!, { ...ports[1]!, nodePort: 30053 }] })).ports).toMatchObject([
      { nodePort: 30053 },
      { nodePort: 30053 },
    ]);
    expect(claims('b')).toContainEqual({ type: 'nodePort', port: 30053, protocol: 'TCP' });
    expect(write('b', nodePort({ ports: [{ ...ports[0]!, nodePort: 30053 }] })).ports).toMatchObject([
      { nodePort: 30053 },
    ]);
  });

  test('two Services never share a node port, whatever the protocol', () => {
    const { write } = cluster();
    write('a', nodePort({ ports: [{ port: 80, protocol: 'TCP', nodePort: 30080 }] }));
    expect(() => write('b', nodePort({ ports: [{ port: 80, protocol: 'UDP', nodePort: 30080 }] }))).toThrow(
      'Service "b" is invalid: spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated',
    );
  });

  test('a port outside the range is refused with the range (S13)', () => {
    expect(() => cluster().write('a', nodePort({ ports: [{ port: 80, nodePort: 80 }] }))).toThrow(
      causes(
        'provided port is not in the valid range. The range of valid ports is 30000-32767',
        'spec.ports[0].nodePort',
      ),
    );
  });

  test('a port keeps its node port by name when another is put before it', () => {
    const { write } = cluster();
    write('a', nodePort({ ports: [{ name: 'http', port: 80 }] }));
    expect(
      write(
        'a',
        nodePort({
          ports: [
            { name: 'admin', port: 8080 },
            { name: 'http', port: 80 },
          ],
        }),
      ).ports,
    ).toMatchObject([
      { name: 'admin', nodePort: 30087 },
      { name: 'http', nodePort: 30086 },
    ]);
  });

  test('a node port moves and the old one is free again', () => {
    const { write } = cluster();
    write('a', nodePort({ ports: [{ port: 80, nodePort: 30080 }] }));
    write('a', nodePort({ ports: [{ port: 80, nodePort: 30081 }] }));
    expect(write('b', nodePort({ ports: [{ port: 80, nodePort: 30080 }] })).ports).toMatchObject([{ nodePort: 30080 }]);
  });

  test('NodePort to ClusterIP wipes the node ports', () => {
    const { write } = cluster();
    const spec = write('a', nodePort());
    expect(write('a', { ...spec, type: 'ClusterIP' }).ports).toEqual([{ port: 80, protocol: 'TCP' }]);
  });

  test('one node port twice with one protocol is refused on update', () => {
    const { write } = cluster();
    write('a', nodePort());
    const ports = [
      { name: 'a', port: 80, nodePort: 30080 },
      { name: 'b', port: 81, nodePort: 30080 },
    ];
    expect(() => write('a', nodePort({ ports }))).toThrow(causes('Duplicate value: 30080', 'spec.ports[1].nodePort'));
  });

  test('the range can run out', () => {
    const { write } = cluster({ nodePortRange: '30000-30000' });
    write('a', nodePort());
    expect(() => write('b', nodePort())).toThrow(
      'Internal error occurred: failed to allocate a nodePort: range is full',
    );
  });
});

describe('load balancers', () => {
  const loadBalancer = (spec: Partial<ServiceSpec> = {}): ServiceSpec =>
    web({ type: 'LoadBalancer', externalTrafficPolicy: 'Cluster', allocateLoadBalancerNodePorts: true, ...spec });

  test('allocateLoadBalancerNodePorts false allocates none but honours a wish', () => {
    const { write } = cluster();
    const ports = [
      { name: 'a', port: 80 },
      { name: 'b', port: 81, nodePort: 30081 },
    ];
    const written = write('a', loadBalancer({ allocateLoadBalancerNodePorts: false, ports })).ports;
    expect(written).toEqual(ports);
  });

  test('externalTrafficPolicy Local gets a health check node port and loses it again (S06)', () => {
    const { write, claims } = cluster();
    const local = write('a', loadBalancer({ externalTrafficPolicy: 'Local' }));
    expect(local).toMatchObject({ healthCheckNodePort: 30087, ports: [{ nodePort: 30086 }] });
    expect(claims('a')).toContainEqual({ type: 'nodePort', port: 30087, protocol: 'TCP' });
    expect(write('a', { ...local, externalTrafficPolicy: 'Cluster' })).not.toHaveProperty('healthCheckNodePort');
    expect(claims('a')).not.toContainEqual({ type: 'nodePort', port: 30087, protocol: 'TCP' });
    expect(write('a', loadBalancer({ externalTrafficPolicy: 'Local' })).healthCheckNodePort).toBe(30087);
  });

  test('the health check node port can be asked for and may not change', () => {
    const { write } = cluster();
    const wish = loadBalancer({ externalTrafficPolicy: 'Local', healthCheckNodePort: 30000 });
    expect(write('a', wish).healthCheckNodePort).toBe(30000);
    expect(() => write('a', { ...wish, healthCheckNodePort: 30001 })).toThrow(
      causes('field is immutable', 'spec.healthCheckNodePort'),
    );
    expect(() => write('b', wish)).toThrow(
      'failed to allocate requested HealthCheck NodePort 30000: provided port is already allocated',
    );
  });

  test('to ClusterIP and back (S08)', () => {
    const { write } = cluster();
    const spec = write('a', loadBalancer({ loadBalancerClass: 'example.com/x', externalTrafficPolicy: 'Local' }));
    const plain = write('a', { ...spec, type: 'ClusterIP' });
    for (const field of [
      'loadBalancerClass',
      'allocateLoadBalancerNodePorts',
      'externalTrafficPolicy',
      'healthCheckNodePort',
    ]) {
      expect(plain).not.toHaveProperty(field);
    }
    expect(write('a', { ...plain, ...loadBalancer(), clusterIP: plain.clusterIP })).toMatchObject({
      ports: [{ nodePort: 30086 }],
    });
  });
});
