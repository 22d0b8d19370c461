import { describe, expect, it } from 'vitest';
import { QueryServer } from '../../../src/dns/server/query-server.ts';
import { ClusterZone } from '../../../src/dns/zone/cluster-zone.ts';
import { SharedInformers } from '../../../src/kube/informers.ts';
import { resources } from '../../../src/kube/resources.ts';
import { buildEndpoint, buildEndpointSlice, buildNamespace, buildService } from '../../helpers/build-objects.ts';
import { buildQuery, DnsChain } from '../../helpers/dns-chain.ts';
import { type JudgedReply, judgeReply } from '../../helpers/dns-judge.ts';
import { FakeKubeClient } from '../../helpers/fake-kube-client.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';
import { settled } from '../../helpers/stepped-clock.ts';

const CHANGES = 150 * Number(process.env['TOWTANK_FUZZ'] ?? 1);
const names = ['a', 'b', 'c', 'd'];

/** The number of each object that is there; its address and its port both tell it. */
type Model = Map<string, number>;

class Cluster {
  readonly client = new FakeKubeClient();
  readonly model: Model = new Map();
  /** What an object was before the change that is under way. */
  readonly before: Map<string, number | undefined> = new Map();
  #queries!: QueryServer;
  readonly #space = { bytes: new Uint8Array(0x10000), at: 0 };

  static async start(): Promise<Cluster> {
    const cluster = new Cluster();
    const { client } = cluster;
    client.put(resources.namespaces, buildNamespace({ name: 'shop' }));
    for (const name of names) {
      client.put(resources.services, buildService({ name: `headless-${name}`, namespace: 'shop', clusterIP: 'None' }));
    }
    const informers = new SharedInformers(client, client.clock);
    const zone = new ClusterZone(informers, client.clock);
    const corefile = '. {\n loadbalance\n kubernetes cluster.local in-addr.arpa {\n ttl 30\n }\n}\n';
    const chain = await DnsChain.build(corefile, { zone, clock: client.clock });
    const ignore = (): void => undefined;
    cluster.#queries = new QueryServer(chain.config.listen[0]!.query, ignore, ignore);
    return cluster;
  }

  /** Changes, deletes or creates one object, its address and its port at once. */
  change(name: string, number: number | undefined): void {
    this.before.set(name, this.model.get(name));
    if (number === undefined) this.model.delete(name);
    else this.model.set(name, number);
    const ports = [{ name: 'http', port: number ?? 1, protocol: 'TCP' }];
    const type = name.startsWith('slice') ? resources.endpointSlices : resources.services;
    if (number === undefined) this.client.remove(type, `shop/${name}`);
    else if (name.startsWith('slice')) {
      const service = name.replace('slice', 'headless');
      const endpoints = [buildEndpoint({ ip: addressOf(number, true), hostname: 'pod' })];
      const metadata = { name, namespace: 'shop', service };
      this.client.put(resources.endpointSlices, buildEndpointSlice({ ...metadata, endpoints, ports }));
    } else {
      const clusterIP = addressOf(number, false);
      this.client.put(resources.services, buildService({ name, namespace: 'shop', clusterIP, ports }));
    }
  }

  /** The number that the answers about an object tell; undefined when there is none. Throws when they do not agree. */
  read(name: string): number | undefined {
    const host = `${name.replace('slice', 'headless')}.shop.svc.cluster.local.`;
    const srv = this.#ask(`_http._tcp.${host}`, 'SRV');
    const a = this.#ask(host, 'A');
    const numbers = new Set<number | undefined>();
    numbers.add((srv.answer[0]?.data as { port: number } | undefined)?.port);
    const addresses = [...srv.additional, ...a.answer].map(({ data }) => numberOf(data as string));
    if (addresses.length === 0) numbers.add(undefined);
    for (const number of addresses) {
      numbers.add(number);
      const pointer = this.#ask(reverseOf(addressOf(number, name.startsWith('slice'))), 'PTR').answer[0]?.data;
      expect(pointer).toBe(name.startsWith('slice') ? `pod.${host}` : host);
    }
    expect([...numbers], `${name} is answered half`).toHaveLength(1);
    return [...numbers][0];
  }

  #ask(name: string, type: string): JudgedReply {
    const query = Buffer.from(buildQuery(name, type));
    const length = this.#queries.answerFast(query, this.#space, { tcp: true, ipv6: false });
    if (length > 0) return judgeReply(Buffer.from(this.#space.bytes.subarray(0, length)));
    throw new Error(`${name} ${type} is not answered from the table`);
  }
}

const addressOf = (number: number, endpoint: boolean): string =>
  `10.${endpoint ? 244 : 96}.${number >> 8}.${number & 0xff}`;
const numberOf = (address: string): number =>
  address
    .split('.')
    .slice(2)
    .reduce((sum, byte) => sum * 256 + Number(byte), 0);
const reverseOf = (address: string): string => `${address.split('.').reverse().join('.')}.in-addr.arpa.`;

describe('consistency', () => {
  it.each([1, 2, 3])(
    'no change is answered half, and answers follow what the API acknowledged (seed %i)',
    async (seed) => {
      const random = seededRandom(seed);
      const cluster = await Cluster.start();
      let number = 0;
      for (let i = 0; i < CHANGES; i++) {
        cluster.before.clear();
        const changed = new Set(
          names.map((name) => `${random() < 0.5 ? 'slice' : 'web'}-${name}`).filter(() => random() < 0.5),
        );
        for (const name of changed) cluster.change(name, random() < 0.2 ? undefined : ++number);
        // Events are on their way: each object is told as it was or as it is, in every answer.
        for (let turn = 0; turn < 3; turn++) {
          for (const name of changed)
            expect([cluster.before.get(name), cluster.model.get(name)]).toContain(cluster.read(name));
          await Promise.resolve();
        }
        await settled(1);
        for (const name of names.flatMap((one) => [`slice-${one}`, `web-${one}`])) {
          expect(cluster.read(name)).toBe(cluster.model.get(name));
        }
      }
    },
  );
});
