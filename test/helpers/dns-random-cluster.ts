import type { Random } from '../../src/kube/clock.ts';
import type { Endpoint, EndpointSlice, Pod, Service } from '../../src/kube/generated/types.ts';
import type { KubeObject } from '../../src/kube/resources.ts';
import { buildEndpoint, buildEndpointSlice, buildNamespace, buildPod, buildService } from './build-objects.ts';

const pick = <T>(random: Random, items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
const int = (random: Random, below: number): number => Math.floor(random() * below);

const namespaces = ['default', 'shop', 'team-a'];
const names = ['web', 'db', 'api', 'ext', 'cache'];
const ports = [
  { name: 'http', port: 80, protocol: 'TCP' },
  { name: 'dns', port: 53, protocol: 'UDP' },
  { name: 'dns-tcp', port: 53, protocol: 'TCP' },
  { name: '', port: 8080, protocol: 'TCP' },
];

/** A random cluster state: Services of every kind, slices of both families, odd endpoints, pods. */
export function randomObjects(random: Random): readonly KubeObject[] {
  const objects: KubeObject[] = namespaces.filter(() => random() < 0.9).map((name) => buildNamespace({ name }));
  for (const namespace of namespaces) {
    for (const name of names) {
      if (random() < 0.25) continue;
      objects.push(randomService(random, namespace, name));
      for (let i = int(random, 3); i > 0; i--) objects.push(randomSlice(random, { namespace, name, index: i }));
    }
  }
  for (let i = 0; i < 6; i++) objects.push(randomPod(random, i));
  return objects;
}

/** Questions about such a state: names that exist, that nearly exist, and of every shape and type. */
export function randomQuestion(random: Random): { readonly name: string; readonly type: string } {
  const namespace = pick(random, [...namespaces, 'nowhere']);
  const service = `${pick(random, [...names, 'ghost'])}.${namespace}.svc.cluster.local.`;
  const address = randomAddress(random, random() < 0.3);
  const front = pick(random, [
    ...['', '', '', '_http._tcp.', '_dns._udp.', 'http.tcp.', '_x._tcp.', '_tcp.', 'host-1.', 'a.b.c.'],
    ...[`${dashed(address)}.`, 'web-0.', '*.', '_._tcp.'],
  ]);
  const reverse = address.includes(':') ? reverse6(address) : `${address.split('.').reverse().join('.')}.in-addr.arpa.`;
  const name = pick(random, [
    ...[`${front}${service}`, `${front}${service}`, `${front}${service}`, `${front}${service}`, reverse, reverse],
    ...[`${dashed(address)}.${namespace}.pod.cluster.local.`, `${namespace}.svc.cluster.local.`],
    ...['cluster.local.', 'svc.cluster.local.', 'dns-version.cluster.local.', 'ns.dns.cluster.local.'],
    ...['foo.cluster.local.', `${namespace}.pod.cluster.local.`, 'in-addr.arpa.', 'x.pod.cluster.local.'],
  ]);
  const type = pick(random, [
    ...['A', 'A', 'A', 'AAAA', 'AAAA', 'SRV', 'SRV', 'PTR', 'TXT', 'CNAME', 'NS', 'SOA', 'MX', 'ANY', 'HTTPS', 'DS'],
  ]);
  return { name: random() < 0.2 ? mixCase(random, name) : name, type };
}

function randomService(random: Random, namespace: string, name: string): Service {
  const own = ports.filter(() => random() < 0.5);
  const kind = pick(random, ['cluster', 'cluster', 'cluster', 'headless', 'headless', 'external', 'dual', 'v6', 'lb']);
  const base = { namespace, name, ports: own };
  const v4 = `10.96.${int(random, 2)}.${int(random, 40)}`;
  const v6 = `fd00:96::${int(random, 40).toString(16)}`;
  switch (kind) {
    case 'headless':
      return buildService({ ...base, clusterIP: 'None' });
    case 'external': {
      const externalName = pick(random, [
        'db.shop.svc.cluster.local',
        'ext.default.svc.cluster.local.',
        '192.0.2.9',
        `${name}.${namespace}.svc.cluster.local`,
      ]);
      return buildService({ ...base, type: 'ExternalName', spec: { externalName, clusterIP: '', clusterIPs: [] } });
    }
    case 'dual':
      return buildService({ ...base, clusterIP: v4, spec: { clusterIPs: [v4, v6] } });
    case 'v6':
      return buildService({ ...base, clusterIP: v6 });
    case 'lb':
      return buildService({
        ...base,
        clusterIP: v4,
        type: 'LoadBalancer',
        spec: { externalIPs: ['198.51.100.7'] },
        status: { loadBalancer: { ingress: [{ ip: '203.0.113.5' }, { hostname: 'lb.example' }] } },
      });
    default:
      return buildService({ ...base, clusterIP: v4 });
  }
}

function randomSlice(
  random: Random,
  { namespace, name, index }: { namespace: string; name: string; index: number },
): EndpointSlice {
  const v6 = random() < 0.3;
  const endpoints = Array.from({ length: int(random, 5) }, () => randomEndpoint(random, v6));
  return buildEndpointSlice({
    ...{ name: `${name}-${index}`, namespace, service: name, endpoints, addressType: v6 ? 'IPv6' : 'IPv4' },
    ports: ports.filter(() => random() < 0.5),
  });
}

function randomEndpoint(random: Random, v6: boolean): Endpoint {
  const hostname = random() < 0.3 ? { hostname: pick(random, ['host-1', 'web-0', 'db-0']) } : {};
  const targetRef = random() < 0.5 ? { targetRef: { kind: 'Pod', name: `pod-${int(random, 9)}` } } : {};
  const ip = randomAddress(random, v6);
  const conditions = random() < 0.2 ? { conditions: {} } : {};
  return buildEndpoint({ ip, ready: random() < 0.75, ...hostname, ...targetRef, ...conditions });
}

function randomPod(random: Random, index: number): Pod {
  return buildPod({
    name: `pod-${index}`,
    namespace: pick(random, namespaces),
    ips: [randomAddress(random, random() < 0.3)],
  });
}

function randomAddress(random: Random, v6: boolean): string {
  if (v6) return pick(random, ['fd00:10:244::5', 'fd00:10:244::6', '2001:db8:1:2:3:4:5:0', '2001:db8::']);
  return random() < 0.2 ? `10.96.0.${int(random, 40)}` : `10.244.${int(random, 2)}.${int(random, 8)}`;
}

function dashed(address: string): string {
  return address.replaceAll('.', '-').replaceAll(':', '-');
}

function reverse6(address: string): string {
  const [head = '', tail = ''] = address.split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const fill = Array<string>(8 - groups(head).length - groups(tail).length).fill('0');
  const hex = [...groups(head), ...(address.includes('::') ? fill : []), ...groups(tail)];
  const nibbles = hex.map((group) => group.padStart(4, '0')).join('');
  return `${[...nibbles].reverse().join('.')}.ip6.arpa.`;
}

function mixCase(random: Random, name: string): string {
  return [...name].map((char) => (random() < 0.5 ? char.toUpperCase() : char)).join('');
}
