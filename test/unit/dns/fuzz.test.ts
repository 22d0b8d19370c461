import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import dnsPacket from 'dns-packet';
import { beforeAll, describe, expect, it } from 'vitest';
import { QueryServer } from '../../../src/dns/server/query-server.ts';
import type { Random } from '../../../src/kube/clock.ts';
import { buildQuery, DnsChain } from '../../helpers/dns-chain.ts';
import { mutate } from '../../helpers/dns-mutations.ts';
import { randomObjects, randomQuestion } from '../../helpers/dns-random-cluster.ts';
import { readDnsVectors } from '../../helpers/dns-vectors.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';

/** TOWTANK_FUZZ=1000 is the long form: ten million packets. */
const PACKETS = 10_000 * Number(process.env['TOWTANK_FUZZ'] ?? 1);
/** Milliseconds that no packet may take. */
const HANG = 10;
/** Bytes that the heap may grow by between a tenth of the packets and all of them. */
const GROWTH = 8_000_000;

const COREFILE = `. {
  errors
  log
  prometheus :9153
  loadbalance
  rewrite continue name suffix .old.test .shop.svc.cluster.local answer auto
  rewrite name regex ^(.*)-alias[.]test[.]$ {1}.shop.svc.cluster.local answer auto
  rewrite edns0 local set 0xffee abcd
  autopath @kubernetes
  cache 30 test
  template IN ANY test {
    match "^(?P<first>[a-z0-9-]*)[.]"
    answer "{{ .Name }} 60 IN TXT \\"{{ .Group.first }}\\""
    fallthrough
  }
  hosts /hosts {
    fallthrough
  }
  k8s_external ext.example
  transfer {
    to *
  }
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    pods verified
    fallthrough in-addr.arpa ip6.arpa
  }
  forward . 192.0.2.1
}
`;

/** What kubeadm installs: its names are answered from precompiled bytes. */
const PLAIN = `. {
  errors
  prometheus :9153
  loadbalance
  cache 30 {
    disable success cluster.local
    disable denial cluster.local
  }
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    pods insecure
    fallthrough in-addr.arpa ip6.arpa
  }
  forward . 192.0.2.1
}
`;

describe('mutated packets', () => {
  let servers: readonly QueryServer[];
  let chains: readonly DnsChain[];
  let seeds: readonly Uint8Array[];
  let panics = 0;
  const space = { bytes: new Uint8Array(0x10000), at: 0 };

  beforeAll(async () => {
    const random = seededRandom(3);
    const files = { '/hosts': '192.0.2.1 a.test b.test\nfd00::1 a.test\n', '/etc/resolv.conf': 'search corp.test\n' };
    const objects = randomObjects(random);
    chains = await Promise.all(
      [COREFILE, PLAIN].map((text) => DnsChain.build(text, { objects, files, upstream: 'off' })),
    );
    servers = chains.map(
      ({ config }) =>
        new QueryServer(
          config.listen[0]!.query,
          () => undefined,
          () => void panics++,
        ),
    );
    seeds = buildSeeds(random);
  });

  // Whether the packet is handed to the fast path first, as the listeners do, and what came back.
  function serve(server: QueryServer, packet: Uint8Array, tcp: boolean): Uint8Array[] | Promise<Uint8Array[]> {
    const replies: Uint8Array[] = [];
    const length = server.answerFast(packet as Buffer, space, { tcp, ipv6: false });
    if (length > 0) return [space.bytes.subarray(0, length)];
    const client = { address: '10.244.0.3', port: 4000, transport: tcp ? 'tcp' : 'udp' } as const;
    const pending = server.answer(packet, client, (reply) => replies.push(reply));
    return pending === undefined ? replies : pending.then(() => replies);
  }

  it(`survives ${PACKETS} of them, quickly, without growing, with replies that parse and fit`, {
    timeout: 3_600_000,
  }, async () => {
    const random = seededRandom(99);
    let early = 0;
    let answered = 0;
    for (let i = 0; i < PACKETS; i++) {
      if (i === Math.floor(PACKETS / 10)) early = usedHeap();
      for (const { logged } of chains) logged.length = 0;
      const tcp = random() < 0.2;
      const packet = Buffer.from(mutate(seeds[Math.floor(random() * seeds.length)]!, random));
      const started = performance.now();
      const server = servers[i % 2]!;
      const served = serve(server, packet, tcp);
      if (performance.now() - started > HANG) {
        expect(quickest(server, packet, tcp), packet.toString('hex')).toBeLessThan(HANG);
      }
      for (const reply of served instanceof Promise ? await served : served) {
        answered++;
        judge(packet, reply, tcp);
      }
    }
    expect(panics).toBe(0);
    expect(answered).toBeGreaterThan(PACKETS / 4);
    if (PACKETS >= 1_000_000) expect(usedHeap() - early).toBeLessThan(GROWTH);
  });

  // A packet that took long did so by itself only when it does again: the machine may have been busy.
  function quickest(server: QueryServer, packet: Buffer, tcp: boolean): number {
    const times = Array.from({ length: 5 }, () => {
      const started = performance.now();
      void serve(server, packet, tcp);
      return performance.now() - started;
    });
    return Math.min(...times);
  }
});

function judge(query: Buffer, reply: Uint8Array, tcp: boolean): void {
  const hex = (): string => `${tcp ? 'tcp' : 'udp'} ${query.toString('hex')}`;
  const bytes = Buffer.from(reply);
  if ((query[2]! & 0x80) !== 0) expect.fail(`answered a reply: ${hex()}`);
  if (bytes.readUInt16BE(0) !== query.readUInt16BE(0) || (bytes[2]! & 0x80) === 0) expect.fail(`no reply: ${hex()}`);
  try {
    dnsPacket.decode(bytes);
  } catch (error) {
    expect.fail(`reply does not parse (${(error as Error).message}): ${hex()} -> ${bytes.toString('hex')}`);
  }
  if (bytes.length > (tcp ? 65_535 : allowedSize(query))) expect.fail(`reply of ${bytes.length} bytes: ${hex()}`);
}

// As an independent codec understands the query; 512 when it does not.
function allowedSize(query: Buffer): number {
  try {
    const opt = dnsPacket.decode(query).additionals?.find((record) => record.type === 'OPT');
    return Math.max(512, (opt as { udpPayloadSize?: number } | undefined)?.udpPayloadSize ?? 0);
  } catch {
    return 512;
  }
}

function buildSeeds(random: Random): readonly Uint8Array[] {
  const own = Array.from({ length: 400 }, () => {
    const { name, type } = randomQuestion(random);
    const options =
      random() < 0.3
        ? [
            { code: 10, data: new Uint8Array(8) },
            { code: 8, data: new Uint8Array(7) },
          ]
        : [];
    const edns = random() < 0.6 ? { edns: { udpSize: Math.floor(random() * 5000), options } } : {};
    const old = random() < 0.15 ? name.replace('shop.svc.cluster.local.', 'old.test.') : name;
    return buildQuery(random() < 0.1 ? 'a.test.' : old, random() < 0.03 ? 'AXFR' : type, edns);
  });
  const wire = readDnsVectors<{ readonly hex?: string }>('wire').flatMap(({ hex = '' }) =>
    hex.length > 24 ? [Uint8Array.from(Buffer.from(hex, 'hex'))] : [],
  );
  return [...own, ...wire];
}

function usedHeap(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}
