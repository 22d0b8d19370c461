import type { Random } from '../../src/kube/clock.ts';
import type { EndpointSlice, Service, ServicePort } from '../../src/kube/generated/types.ts';
import type { Family } from '../../src/netfilter/runner.ts';
import { ServiceFacts } from '../../src/proxy/facts/service-facts.ts';

export interface CollidingClusterOptions {
  readonly family?: Family;
  /** How many Services there may be. Default 12. */
  readonly services?: number;
  /** Addresses of endpoints with their nodes; default four on each of node-1 and node-2. */
  readonly backends?: readonly (readonly [ip: string, nodeName: string])[];
  /** Default: tcp, udp and sctp. */
  readonly protocols?: readonly string[];
}

/**
 * Services and EndpointSlices that a seeded random changes: every field that rules depend on, from pools so small that
 * addresses and node ports collide now and then.
 */
export class CollidingCluster {
  readonly facts = new ServiceFacts();
  readonly #random: Random;
  readonly #options: Required<CollidingClusterOptions>;

  constructor(random: Random, options: CollidingClusterOptions = {}) {
    this.#random = random;
    const family = options.family ?? 'ipv4';
    const backend = (index: number): readonly [string, string] => [
      family === 'ipv4' ? `10.244.${index % 2}.${index + 2}` : `fd00:10:244:${index % 2}::${index + 2}`,
      index % 2 === 0 ? 'node-1' : 'node-2',
    ];
    this.#options = {
      family,
      services: 12,
      backends: Array.from({ length: 8 }, (_, index) => backend(index)),
      protocols: ['TCP', 'UDP', 'SCTP'],
      ...options,
    };
  }

  /** Changes one thing; returns what it did, in words. */
  edit(): string {
    const index = this.#below(this.#options.services);
    const key = `ns${index % 3}/svc${index}`;
    const roll = this.#random();
    if (roll < 0.12) {
      this.facts.setService(key, undefined);
      return `delete Service ${key}`;
    }
    if (roll < 0.45) {
      this.facts.setService(key, this.#service(index));
      return `write Service ${key}`;
    }
    const slice = `${key}-${this.#below(2)}`;
    if (roll < 0.52) {
      this.facts.setSlice(slice, undefined);
      return `delete EndpointSlice ${slice}`;
    }
    this.facts.setSlice(slice, this.#slice(index, slice));
    return `write EndpointSlice ${slice}`;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #pick<T>(values: readonly T[]): T {
    return values[this.#below(values.length)]!;
  }

  #some<T>(values: readonly T[], chance: number): T[] {
    return values.filter(() => this.#random() < chance);
  }

  #address(v4: string, v6: string): string {
    return this.#options.family === 'ipv4' ? v4 : v6;
  }

  #service(index: number): Service {
    const type = this.#pick(['ClusterIP', 'NodePort', 'LoadBalancer']);
    const clusterIP = this.#address(`10.96.0.${index + 1}`, `fd00:10:96::${index + 1}`);
    const isV4 = this.#options.family === 'ipv4';
    const balancing = this.#random() < 0.3 ? { 'towtank.dev/balancing': this.#pick(['round-robin', 'random']) } : {};
    const vips = this.#some([1, 2], 0.6).map((last) => ({
      ip: this.#address(`192.0.2.${last}`, `2001:db8:2::${last}`),
    }));
    const ranges = isV4
      ? ['203.0.113.0/25', '203.0.113.64/26', '172.18.0.0/16', '10.244.0.0/16']
      : ['2001:db8:3::/64', 'fd00:10:244::/48'];
    return {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { namespace: `ns${index % 3}`, name: `svc${index}`, annotations: balancing },
      spec: {
        type,
        clusterIP,
        clusterIPs: [clusterIP],
        ipFamilies: [isV4 ? 'IPv4' : 'IPv6'],
        ports: this.#some(['a', 'b'], 0.7).map((name) => this.#port(name, type)),
        externalIPs: this.#some([1, 2], 0.2).map((last) => this.#address(`198.51.100.${last}`, `2001:db8:1::${last}`)),
        sessionAffinity: this.#random() < 0.2 ? 'ClientIP' : 'None',
        sessionAffinityConfig: { clientIP: { timeoutSeconds: this.#pick([10, 10_800]) } },
        externalTrafficPolicy: this.#pick(['Cluster', 'Local']),
        internalTrafficPolicy: this.#pick(['Cluster', 'Cluster', 'Local']),
        loadBalancerSourceRanges: this.#random() < 0.4 ? this.#some(ranges, 0.5) : [],
      },
      status: { loadBalancer: type === 'LoadBalancer' ? { ingress: vips } : {} },
    };
  }

  #port(name: string, type: string): ServicePort {
    return {
      name,
      port: this.#pick([80, 443]),
      protocol: this.#pick(this.#options.protocols),
      ...(type === 'ClusterIP' ? {} : { nodePort: 31_000 + this.#below(6) }),
    };
  }

  #slice(index: number, key: string): EndpointSlice {
    const name = key.slice(key.indexOf('/') + 1);
    return {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { namespace: `ns${index % 3}`, name, labels: { 'kubernetes.io/service-name': `svc${index}` } },
      addressType: this.#options.family === 'ipv4' ? 'IPv4' : 'IPv6',
      ports: this.#options.protocols.flatMap((protocol) =>
        ['a', 'b'].map((port, at) => ({ name: port, protocol, port: 8080 + at })),
      ),
      endpoints: this.#some(this.#options.backends, this.#pick([0, 0.3, 0.8])).map(([ip, nodeName]) => {
        const terminating = this.#random() < 0.15;
        return {
          addresses: [ip],
          nodeName,
          conditions: { ready: !terminating && this.#random() < 0.9, serving: this.#random() < 0.8, terminating },
        };
      }),
    };
  }
}
