import type { Random } from '../../src/kube/clock.ts';
import type { Endpoint, EndpointSlice, Service } from '../../src/kube/generated/types.ts';
import type { ServiceFacts } from '../../src/proxy/facts/service-facts.ts';

export const ZONES = ['zone-a', 'zone-b', 'zone-c'];
export const NODES = ['node-1', 'node-2', 'node-3'];

/** A cluster's Services and EndpointSlices that change at random, of one family, with everything that rules depend on. */
export class RandomCluster {
  readonly services = new Map<string, Service>();
  readonly slices = new Map<string, EndpointSlice>();
  readonly #random: Random;
  readonly #v6: boolean;
  readonly #duplicates: boolean;

  /** `duplicates`: slices of a Service may name an address several times, about which kube-proxy decides by chance. */
  constructor(random: Random, family: 'ipv4' | 'ipv6', { duplicates = true }: { readonly duplicates?: boolean } = {}) {
    this.#random = random;
    this.#v6 = family === 'ipv6';
    this.#duplicates = duplicates;
  }

  /** Makes one change and tells `facts`; resolves to a description of it. */
  change(facts: ServiceFacts): string {
    const index = this.#below(8);
    const name = `svc-${index}`;
    const key = `ns-${index % 2}/${name}`;
    const action = this.#below(10);
    if (action < 3) {
      const service = this.#service(key, index);
      this.services.set(key, service);
      facts.setService(key, service);
      return `service ${key} ${JSON.stringify(service)}`;
    }
    if (action === 3) {
      this.services.delete(key);
      facts.setService(key, undefined);
      return `service ${key} deleted`;
    }
    const sliceKey = `${key}-${this.#below(2)}`;
    if (action === 4) {
      this.slices.delete(sliceKey);
      facts.setSlice(sliceKey, undefined);
      return `slice ${sliceKey} deleted`;
    }
    const slice = this.#slice(key, sliceKey);
    this.slices.set(sliceKey, slice);
    facts.setSlice(sliceKey, slice);
    return `slice ${sliceKey} ${JSON.stringify(slice)}`;
  }

  /** Tells all of it to fresh facts. */
  load(facts: ServiceFacts): void {
    for (const [key, service] of this.services) facts.setService(key, service);
    for (const [key, slice] of this.slices) facts.setSlice(key, slice);
  }

  #service(key: string, index: number): Service {
    const [namespace, name] = key.split('/') as [string, string];
    const type = this.#pick(['ClusterIP', 'NodePort', 'LoadBalancer']);
    const external = type !== 'ClusterIP';
    const clusterIP = this.#ip(96, index + 1);
    const port = (port: number, extra: object) => ({
      name: `p${port}`,
      port,
      protocol: this.#pick(['TCP', 'TCP', 'UDP']),
      targetPort: 8080,
      ...(external && this.#chance(0.9) ? { nodePort: 30_000 + index * 10 + (port % 10) } : {}),
      ...extra,
    });
    return {
      metadata: {
        namespace,
        name,
        ...(this.#chance(0.2) && { annotations: { 'towtank.dev/balancing': this.#pick(['random', 'round-robin']) } }),
      },
      spec: {
        type,
        clusterIP,
        clusterIPs: [clusterIP],
        ipFamilies: [this.#v6 ? 'IPv6' : 'IPv4'],
        ports: [port(80, {}), ...(this.#chance(0.3) ? [port(81, {})] : [])],
        sessionAffinity: this.#pick(['None', 'None', 'ClientIP']),
        sessionAffinityConfig: { clientIP: { timeoutSeconds: this.#pick([10, 10_800]) } },
        internalTrafficPolicy: this.#pick(['Cluster', 'Cluster', 'Local']),
        ...(external && { externalTrafficPolicy: this.#pick(['Cluster', 'Local']) }),
        ...(this.#chance(0.2) && { externalIPs: [this.#ip(200, index + 1)] }),
        ...(this.#chance(0.3) && { loadBalancerSourceRanges: this.#ranges() }),
        ...(type === 'LoadBalancer' && { healthCheckNodePort: 31_000 + index }),
      },
      status: {
        loadBalancer:
          type === 'LoadBalancer' && this.#chance(0.8)
            ? { ingress: [{ ip: this.#ip(201, index + 1), ipMode: 'VIP' }] }
            : {},
      },
    };
  }

  #slice(key: string, sliceKey: string): EndpointSlice {
    const [namespace, service] = key.split('/') as [string, string];
    const protocol = this.#pick(['TCP', 'TCP', 'UDP']);
    return {
      addressType: this.#v6 ? 'IPv6' : 'IPv4',
      metadata: {
        namespace,
        name: sliceKey.split('/')[1]!,
        labels: { 'kubernetes.io/service-name': service },
      },
      ports: [
        { name: 'p80', port: this.#pick([8080, 8081]), protocol },
        ...(this.#chance(0.5) ? [{ name: 'p81', port: 8082, protocol }] : []),
      ],
      endpoints: this.#hosts(sliceKey).map((host) => this.#endpoint(host)),
    };
  }

  #hosts(sliceKey: string): number[] {
    const count = this.#below(5);
    if (this.#duplicates) return Array.from({ length: count }, () => 1 + this.#below(12));
    const first = sliceKey.endsWith('0') ? 1 : 7;
    return Array.from({ length: 6 }, (_, index) => first + index).filter(() => this.#chance(count / 5));
  }

  #endpoint(host: number): Endpoint {
    const terminating = this.#chance(0.2);
    const ready = !terminating && this.#chance(0.8);
    return {
      addresses: [this.#ip(10, host)],
      conditions: { ready, serving: ready || (terminating && this.#chance(0.7)), terminating },
      nodeName: this.#pick(NODES),
      ...(this.#chance(0.5) && { hints: { forZones: [{ name: this.#pick(ZONES) }] } }),
    };
  }

  #ranges(): string[] {
    if (this.#v6) return this.#pick([['2001:db8::/64'], ['fd00:c::/64', '2001:db8:1::/64']]);
    return this.#pick([['192.0.2.0/24'], ['198.51.100.0/24', '172.18.0.0/16']]);
  }

  #ip(block: number, host: number): string {
    return this.#v6 ? `fd00:${block}::${host.toString(16)}` : `10.${block}.0.${host}`;
  }

  #below(n: number): number {
    return Math.floor(this.#random() * n);
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #pick<T>(values: readonly T[]): T {
    return values[this.#below(values.length)]!;
  }
}
