import { describe, expect, it } from 'vitest';
import { buildServicePorts } from '../../../../src/proxy/facts/service-port.ts';
import { buildService } from '../../../helpers/build-objects.ts';

const OPTIONS = { loadBalancerIPMode: true };
const first = (service: ReturnType<typeof buildService>, family: 'ipv4' | 'ipv6' = 'ipv4') =>
  buildServicePorts(service, family, OPTIONS)[0];

const affinity = (timeoutSeconds: number) => ({
  sessionAffinity: 'ClientIP',
  sessionAffinityConfig: { clientIP: { timeoutSeconds } },
});

describe('a Service has no ports for a proxy', () => {
  it.each([
    ['when it is headless', buildService({ clusterIP: 'None' })],
    ['while it has no address', buildService({ clusterIP: '' })],
    ['when it is an ExternalName', buildService({ type: 'ExternalName' })],
    ['when its address is nonsense', buildService({ clusterIP: '10.96.0.300' })],
    ['in a family of which it has no address', buildService({ clusterIP: 'fd00::10' })],
  ])('%s', (_, service) => {
    expect(buildServicePorts(service, 'ipv4', OPTIONS)).toEqual([]);
  });
});

describe('a ServicePort', () => {
  it('takes the address at the place of its family', () => {
    const spec = { clusterIPs: ['fd00::10', '10.96.0.10'], ipFamilies: ['IPv6', 'IPv4'] };
    const service = buildService({ clusterIP: 'fd00::10', spec });
    expect(first(service, 'ipv4')).toMatchObject({ clusterIP: '10.96.0.10', family: 'ipv4' });
    expect(first(service, 'ipv6')).toMatchObject({ clusterIP: 'fd00::10', family: 'ipv6' });
  });

  it('of an object from before ipFamilies goes by its one address', () => {
    const spec = { ipFamilies: [], clusterIPs: [] };
    expect(first(buildService({ spec }))).toMatchObject({ clusterIP: '10.96.0.10' });
    expect(first(buildService({ spec }), 'ipv6')).toBeUndefined();
  });

  it('without a name is spelled without a colon', () => {
    const unnamed = first(buildService({ name: 'web', namespace: 'ns' }));
    expect(unnamed).toMatchObject({ key: 'ns/web:/TCP', text: 'ns/web' });
  });

  it('keeps external addresses of its family and skips nonsense, telling of it', () => {
    const told: string[] = [];
    const spec = {
      externalIPs: ['192.0.2.1', 'fd00::1', 'nonsense', ''],
      loadBalancerSourceRanges: [' 10.1.2.3/8 ', 'fd00::/64', '10.0.0.1', 'x/8', ''],
    };
    const status = {
      loadBalancer: {
        ingress: [
          { ip: '203.0.113.1' },
          { ip: '203.0.113.2', ipMode: 'VIP' },
          { ip: '203.0.113.3', ipMode: 'Proxy' },
          { ip: 'fd00::9' },
          { hostname: 'lb.example' },
        ],
      },
    };
    const service = buildService({ type: 'LoadBalancer', spec, status });
    const onInvalid = (field: string, value: string): void => void told.push(`${field} ${value}`);
    expect(buildServicePorts(service, 'ipv4', { ...OPTIONS, onInvalid })[0]).toMatchObject({
      externalIPs: ['192.0.2.1'],
      loadBalancerVIPs: ['203.0.113.1', '203.0.113.2'],
      loadBalancerSourceRanges: ['10.0.0.0/8'],
    });
    expect(told).toEqual([
      'spec.externalIPs nonsense',
      'spec.loadBalancerSourceRanges 10.0.0.1',
      'spec.loadBalancerSourceRanges x/8',
    ]);
  });

  it('counts every load balancer address while gate LoadBalancerIPMode is off', () => {
    const status = { loadBalancer: { ingress: [{ ip: '203.0.113.3', ipMode: 'Proxy' }] } };
    const service = buildService({ type: 'LoadBalancer', status });
    expect(buildServicePorts(service, 'ipv4', { loadBalancerIPMode: false })[0]?.loadBalancerVIPs).toHaveLength(1);
  });

  it.each([
    ['ClusterIP', [], false],
    ['ClusterIP', ['192.0.2.1'], true],
    ['NodePort', [], true],
    ['LoadBalancer', [], true],
  ] as const)('of type %s with external IPs %j minds externalTrafficPolicy: %s', (type, externalIPs, minds) => {
    const service = buildService({ type, spec: { externalIPs, externalTrafficPolicy: 'Local' } });
    expect(first(service)?.externalPolicyLocal).toBe(minds);
  });

  it.each([
    ['LoadBalancer', 'Local', 31_000],
    ['LoadBalancer', 'Cluster', 0],
    ['NodePort', 'Local', 0],
  ])('of type %s with policy %s has health check port %i', (type, externalTrafficPolicy, port) => {
    const service = buildService({ type, spec: { externalTrafficPolicy, healthCheckNodePort: 31_000 } });
    expect(first(service)?.healthCheckNodePort).toBe(port);
  });

  it('has a timeout of three hours unless session affinity says another', () => {
    const affinity = (timeoutSeconds?: number) =>
      first(
        buildService({
          spec: {
            sessionAffinity: 'ClientIP',
            ...(timeoutSeconds && { sessionAffinityConfig: { clientIP: { timeoutSeconds } } }),
          },
        }),
      )?.affinitySeconds;
    expect(affinity()).toBe(10_800);
    expect(affinity(10)).toBe(10);
    expect(first(buildService())?.affinitySeconds).toBe(0);
  });

  it.each([
    [{ clusterIP: '10.96.0.300' }, 'spec.clusterIP', '10.96.0.300', undefined],
    [{ clusterIPs: ['fd00::1'] }, 'spec.clusterIPs', 'fd00::1', undefined],
    [{ ipFamilies: ['IPv4', 'IPv7'] }, 'spec.ipFamilies', 'IPv7', { clusterIP: '10.96.0.10' }],
    [{ ports: [{ port: 80, nodePort: 70_000 }] }, 'spec.ports[0].nodePort', '70000', { nodePort: 0 }],
    [{ ports: [{ port: 80, nodePort: -1 }] }, 'spec.ports[0].nodePort', '-1', { nodePort: 0 }],
    [{ healthCheckNodePort: 99_999 }, 'spec.healthCheckNodePort', '99999', { healthCheckNodePort: 0 }],
    [affinity(0), 'spec.sessionAffinityConfig.clientIP.timeoutSeconds', '0', { affinitySeconds: 10_800 }],
    [affinity(1.5), 'spec.sessionAffinityConfig.clientIP.timeoutSeconds', '1.5', { affinitySeconds: 10_800 }],
    [affinity(1e18), 'spec.sessionAffinityConfig.clientIP.timeoutSeconds', '1000000000000000000', {}],
  ])('tells of what is skipped in %j', (spec, field, value, port) => {
    const told: unknown[] = [];
    const onInvalid = (...[path, text]: readonly [string, string]) => told.push([path, text]);
    const local = {
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      ipFamilies: ['IPv4'],
      clusterIPs: ['10.96.0.10'],
    };
    const families = 'clusterIP' in spec ? { ipFamilies: [], clusterIPs: [] } : {};
    const service = buildService({ spec: { ...local, ...families, ...spec } });
    const ports = buildServicePorts(service, 'ipv4', { ...OPTIONS, onInvalid });
    expect(told).toEqual([[field, value]]);
    expect(ports).toMatchObject(port === undefined ? [] : [port]);
  });

  it('with a port or protocol that cannot be is left out, the others stay', () => {
    const ports = [
      { name: 'a', port: 70_000, protocol: 'TCP' },
      { name: 'b', port: 80, protocol: 'IPX' },
      { name: 'c', port: 81 },
    ];
    expect(buildServicePorts(buildService({ ports }), 'ipv4', OPTIONS).map(({ portName }) => portName)).toEqual(['c']);
  });

  it('shows endpoints the client by annotation, and an unknown value is told', () => {
    const told: string[] = [];
    const build = (value: string) =>
      buildServicePorts(buildService({ annotations: { 'towtank.dev/client-address': value } }), 'ipv4', {
        ...OPTIONS,
        onInvalid: (field) => void told.push(field),
      })[0]?.preservesClient;
    expect(build('preserve')).toBe(true);
    expect(build('true')).toBeUndefined();
    expect(told).toEqual(['metadata.annotations[towtank.dev/client-address]']);
  });

  it('chooses its balancing by annotation, and an unknown one is told', () => {
    const told: string[] = [];
    const build = (value: string) =>
      buildServicePorts(buildService({ annotations: { 'towtank.dev/balancing': value } }), 'ipv4', {
        ...OPTIONS,
        onInvalid: (field) => void told.push(field),
      })[0]?.balancing;
    expect(build('round-robin')).toBe('round-robin');
    expect(build('random')).toBe('random');
    expect(build('fastest')).toBeUndefined();
    expect(told).toEqual(['metadata.annotations[towtank.dev/balancing]']);
  });
});
