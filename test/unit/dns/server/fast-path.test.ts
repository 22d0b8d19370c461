import { beforeAll, describe, expect, it } from 'vitest';
import { QueryServer } from '../../../../src/dns/server/query-server.ts';
import type { KubeObject } from '../../../../src/kube/resources.ts';
import { buildEndpoint, buildEndpointSlice, buildNamespace, buildService } from '../../../helpers/build-objects.ts';
import { buildQuery, DnsChain, type RequestOptions } from '../../../helpers/dns-chain.ts';
import { type JudgedReply, judgeReply } from '../../../helpers/dns-judge.ts';
import { randomObjects, randomQuestion } from '../../../helpers/dns-random-cluster.ts';
import { seededRandom } from '../../../helpers/seeded-random.ts';

const COREFILE = `. {
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    pods insecure
    fallthrough in-addr.arpa ip6.arpa
    ttl 30
  }
  loadbalance
}
`;

const shop = (...more: readonly KubeObject[]): readonly KubeObject[] => [buildNamespace({ name: 'shop' }), ...more];

class Server {
  readonly chain: DnsChain;
  readonly #queries: QueryServer;
  readonly #space = { bytes: new Uint8Array(0x10000 + 64), at: 64 };

  private constructor(chain: DnsChain) {
    this.chain = chain;
    this.#queries = new QueryServer(
      chain.config.listen[0]!.query,
      () => undefined,
      () => undefined,
    );
  }

  static async build(objects: readonly KubeObject[], corefile = COREFILE): Promise<Server> {
    return new Server(await DnsChain.build(corefile, { objects }));
  }

  fast(packet: Uint8Array, tcp = false): JudgedReply | undefined {
    const length = this.#queries.answerFast(Buffer.from(packet), this.#space, { tcp, ipv6: false });
    return length === 0 ? undefined : judgeReply(Buffer.from(this.#space.bytes.slice(64, 64 + length)));
  }

  async slow(packet: Uint8Array, tcp = false): Promise<JudgedReply> {
    const replies: Buffer[] = [];
    const client = { address: '192.0.2.9', port: 1, transport: tcp ? 'tcp' : 'udp' } as const;
    await this.#queries.answer(packet, client, (message) => replies.push(Buffer.from(message)));
    return judgeReply(replies[0]!);
  }

  ask(name: string, type: string, options?: RequestOptions): JudgedReply | undefined {
    return this.fast(buildQuery(name, type, options));
  }
}

const asSets = (reply: JudgedReply): unknown => {
  const { bytes: _bytes, ...rest } = reply;
  const sorted = (records: JudgedReply['answer']): string[] => records.map((record) => JSON.stringify(record)).sort();
  return {
    ...rest,
    answer: sorted(reply.answer),
    authority: sorted(reply.authority),
    additional: sorted(reply.additional),
  };
};

describe('the precompiled answers', () => {
  it('are those of the plugins, for random states and questions', async () => {
    let served = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const random = seededRandom(seed);
      const server = await Server.build(randomObjects(random));
      for (let i = 0; i < 150; i++) {
        const { name, type } = randomQuestion(random);
        const edns = random() < 0.5 ? { edns: { udpSize: 4096, flags: random() < 0.5 ? 0x8000 : 0 } } : {};
        const packet = buildQuery(name, type, edns);
        const tcp = random() < 0.3;
        const fast = server.fast(packet, tcp);
        if (fast === undefined) continue;
        served++;
        expect(asSets(fast), `seed ${seed}: ${name} ${type}`).toEqual(asSets(await server.slow(packet, tcp)));
      }
    }
    expect(served).toBeGreaterThan(1000);
  });

  it('stay those of the plugins while objects change, and never mix old and new', async () => {
    const random = seededRandom(99);
    const server = await Server.build(randomObjects(random));
    for (let round = 0; round < 30; round++) {
      server.chain.zone.replace(randomObjects(random));
      for (let i = 0; i < 60; i++) {
        const { name, type } = randomQuestion(random);
        const packet = buildQuery(name, type);
        const fast = server.fast(packet, true);
        if (fast === undefined) continue;
        expect(asSets(fast), `round ${round}: ${name} ${type}`).toEqual(asSets(await server.slow(packet, true)));
      }
    }
  });

  it('serve hits, NODATA and missing names of the cluster zone, and only hits of reverse zones', async () => {
    const server = await Server.build(shop(buildService({ name: 'web', namespace: 'shop', clusterIP: '10.96.0.7' })));
    expect(server.ask('web.shop.svc.cluster.local.', 'A')?.answer).toHaveLength(1);
    expect(server.ask('web.shop.svc.cluster.local.', 'AAAA')).toMatchObject({ rcode: 'NOERROR', answer: [] });
    expect(server.ask('ghost.shop.svc.cluster.local.', 'A')?.rcode).toBe('NXDOMAIN');
    expect(server.ask('7.0.96.10.in-addr.arpa.', 'PTR')?.answer).toHaveLength(1);
    expect(server.ask('8.0.96.10.in-addr.arpa.', 'PTR')).toBeUndefined();
    expect(server.ask('example.com.', 'A')).toBeUndefined();
  });

  it('leave what is unusual to the plugins', async () => {
    const server = await Server.build(shop(buildService({ name: 'web', namespace: 'shop' })));
    const name = 'web.shop.svc.cluster.local.';
    const packet = Buffer.from(buildQuery(name, 'A'));
    const changed = (at: number, value: number): Buffer => {
      const copy = Buffer.from(packet);
      copy[at] = value;
      return copy;
    };
    expect(server.fast(packet)).toBeDefined();
    expect(server.fast(changed(2, 0x80))).toBeUndefined();
    expect(server.fast(changed(2, 0x20))).toBeUndefined();
    expect(server.fast(changed(5, 2))).toBeUndefined();
    expect(server.fast(changed(7, 1))).toBeUndefined();
    expect(server.fast(changed(12, 0xc0))).toBeUndefined();
    expect(server.fast(changed(packet.length - 1, 3))).toBeUndefined();
    expect(server.fast(packet.subarray(0, packet.length - 1))).toBeUndefined();
    expect(server.ask(name, 'TXT')).toBeUndefined();
    expect(server.ask(name, 'A', { edns: { version: 1 } })).toBeUndefined();
    const options = [{ code: 10, data: new Uint8Array(8) }];
    const cut = buildQuery(name, 'A', { edns: { options } });
    expect(server.fast(cut.subarray(0, cut.length - 2))).toBeUndefined();
  });

  it('repeat the options that CoreDNS repeats, and drop the others', async () => {
    const server = await Server.build(shop(buildService({ name: 'web', namespace: 'shop' })));
    const options = [3, 8, 10, 12, 4711].map((code) => ({ code, data: Uint8Array.of(1, 2, 3, 4) }));
    const reply = server.ask('web.shop.svc.cluster.local.', 'A', { edns: { udpSize: 100, flags: 0x8000, options } });
    expect(reply?.edns).toEqual({ udpSize: 100, version: 0, do: true, options: [3, 10, 12] });
  });

  it('put addresses in every order, equally often', async () => {
    const endpoints = ['10.244.0.1', '10.244.0.2', '10.244.0.3'].map((ip) => buildEndpoint({ ip }));
    const slice = buildEndpointSlice({ namespace: 'shop', service: 'db', endpoints });
    const server = await Server.build(shop(buildService({ name: 'db', namespace: 'shop', clusterIP: 'None' }), slice));
    const orders = new Map<string, number>();
    for (let i = 0; i < 6000; i++) {
      const order = server
        .ask('db.shop.svc.cluster.local.', 'A')!
        .answer.map(({ data }) => data)
        .join();
      orders.set(order, (orders.get(order) ?? 0) + 1);
    }
    expect(orders.size).toBe(6);
    for (const count of orders.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  it('shuffle A beside AAAA in the additional section without losing one', async () => {
    const slices = [
      buildEndpointSlice({
        name: 'a',
        namespace: 'shop',
        service: 'db',
        endpoints: ['10.244.0.1', '10.244.0.2'].map((ip) => buildEndpoint({ ip })),
      }),
      buildEndpointSlice({
        name: 'b',
        namespace: 'shop',
        service: 'db',
        addressType: 'IPv6',
        endpoints: ['fd00::1', 'fd00::2'].map((ip) => buildEndpoint({ ip })),
      }),
    ];
    const server = await Server.build(
      shop(buildService({ name: 'db', namespace: 'shop', clusterIP: 'None' }), ...slices),
    );
    const packet = buildQuery('db.shop.svc.cluster.local.', 'SRV', { edns: { udpSize: 4096 } });
    const firsts = new Set<unknown>();
    for (let i = 0; i < 100; i++) {
      const reply = server.fast(packet)!;
      expect(new Set(reply.additional.map(({ data }) => data))).toHaveLength(4);
      firsts.add(reply.additional[0]!.data);
    }
    expect(firsts.size).toBe(4);
  });
});

describe('where plugins would change the reply', () => {
  let served: (corefile: string) => Promise<boolean>;
  beforeAll(() => {
    served = async (corefile) => {
      const objects = shop(buildService({ name: 'web', namespace: 'shop' }));
      const server = await Server.build(
        objects,
        `. {\n kubernetes {\n ttl 30\n }\n${corefile}\n}\n`.replace('kubernetes {', 'kubernetes cluster.local {'),
      );
      return server.ask('web.shop.svc.cluster.local.', 'A') !== undefined;
    };
  });

  it('the precompiled answers are not used', async () => {
    expect(await served('errors\nloadbalance\nprometheus\nloop')).toBe(true);
    expect(await served('cache 30')).toBe(false);
    expect(await served('cache 30 {\n disable success cluster.local\n disable denial cluster.local\n }')).toBe(true);
    expect(await served('cache 20 {\n disable success cluster.local\n disable denial cluster.local\n }')).toBe(false);
    expect(await served('cache 30 example.com')).toBe(true);
    expect(await served('log')).toBe(false);
    expect(await served('rewrite name a b')).toBe(false);
    expect(await served('template IN A example.com {\n answer "{{ .Name }} A 192.0.2.1"\n }')).toBe(true);
    expect(await served('template IN A cluster.local {\n answer "{{ .Name }} A 192.0.2.1"\n }')).toBe(false);
    expect(await served('hosts /etc/hosts example.com')).toBe(true);
    expect(await served('hosts')).toBe(false);
  });
});
