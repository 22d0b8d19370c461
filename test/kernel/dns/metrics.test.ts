import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildNamespace, buildService } from '../../helpers/build-objects.ts';
import { buildQuery } from '../../helpers/dns-chain.ts';
import { askTcp, askUdp } from '../../helpers/dns-client.ts';
import { startTestServer } from '../../helpers/dns-test-server.ts';
import { readDnsVectors } from '../../helpers/dns-vectors.ts';
import { FakeResolver } from '../../helpers/fake-resolver.ts';
import { metricOf } from '../../helpers/metric-of.ts';
import { SteppedClock, settled } from '../../helpers/stepped-clock.ts';

interface MetricVector {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly buckets?: readonly string[];
}

// There is no plugin `local` here: queries for localhost are no metric of their own.
const vectors = readDnsVectors<MetricVector>('metrics').filter(({ name }) => !name.startsWith('coredns_local_'));

const COREFILE = `.:53 {
  errors
  health 127.0.0.1:8080
  prometheus 127.0.0.1:9153
  cache 30 example
  hosts /hosts {
    fallthrough
  }
  kubernetes cluster.local in-addr.arpa {
    ttl 30
    fallthrough in-addr.arpa
  }
  forward . 127.0.0.1:UPSTREAM
}
`;

let stack: AsyncDisposableStack;
let text: string;

beforeAll(async () => {
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  stack = new AsyncDisposableStack();
  const upstream = stack.use(
    await FakeResolver.start(({ questions }) => ({ questions: questions!, flags: 0x8180, answers: [] })),
  );
  const objects = [
    buildNamespace({ name: 'shop' }),
    buildService({ name: 'web', namespace: 'shop', clusterIP: '10.96.0.7' }),
  ];
  const clock = new SteppedClock();
  const readFile = async (): Promise<string> => '192.0.2.1 www.test\n';
  const own = stack.use(
    await startTestServer(COREFILE.replace('UPSTREAM', String(upstream.port)), objects, { clock, readFile }),
  );
  const { port } = own;
  await askUdp(buildQuery('web.shop.svc.cluster.local.', 'A', { edns: { flags: 0x8000 } }), { port });
  await askTcp(buildQuery('ghost.shop.svc.cluster.local.', 'AAAA'), { port });
  await askUdp(buildQuery('ghost.shop.svc.cluster.local.', 'MX'), { port });
  await askUdp(buildQuery('www.test.', 'A'), { port });
  for (let i = 0; i < 2; i++) await askUdp(buildQuery('www.example.', 'A'), { port });
  await clock.step(1000);
  await settled(20);
  text = own.server.metrics();
});
afterAll(() => stack.disposeAsync());

describe('metrics', () => {
  it.each(vectors.map((vector) => [vector.name, vector] as const))(
    '%s has the type, labels and buckets of CoreDNS',
    (name, vector) => {
      expect(text).toMatch(new RegExp(`^# TYPE ${name} ${vector.type}$`, 'm'));
      const series = [...text.matchAll(new RegExp(`^${name}(_bucket)?(?:\\{(.*)\\})? `, 'gm'))];
      expect(series.length).toBeGreaterThan(0);
      for (const [, , labels = ''] of series) {
        const names = [...labels.matchAll(/(\w+)="[^"]*"/g)].map(([, label]) => label!);
        expect(names.filter((label) => label !== 'le').sort()).toEqual(vector.labels);
      }
      if (vector.buckets === undefined) return;
      const bounds = [...text.matchAll(new RegExp(`^${name}_bucket\\{.*le="([^"]+)"\\}`, 'gm'))].map(
        ([, bound]) => bound!,
      );
      expect(bounds.slice(0, vector.buckets.length)).toEqual(vector.buckets);
    },
  );

  it('count queries of both paths, by family, protocol, type, zone, plugin and rcode', () => {
    const request = (proto: string, type: string): number | undefined =>
      metricOf(
        text,
        `coredns_dns_requests_total{family="1",proto="${proto}",server="dns://127.0.0.1:0",type="${type}",view="",zone="."}`,
      );
    expect([request('udp', 'A'), request('tcp', 'AAAA'), request('udp', 'MX')]).toEqual([4, 1, 1]);
    const response = (plugin: string, rcode: string): number | undefined =>
      metricOf(
        text,
        `coredns_dns_responses_total{plugin="${plugin}",rcode="${rcode}",server="dns://127.0.0.1:0",view="",zone="."}`,
      );
    expect([
      response('kubernetes', 'NOERROR'),
      response('kubernetes', 'NXDOMAIN'),
      response('hosts', 'NOERROR'),
    ]).toEqual([1, 2, 1]);
    const labels = 'proto="udp",server="dns://127.0.0.1:0",view="",zone="."';
    expect(metricOf(text, `coredns_dns_request_size_bytes_count{${labels}}`)).toBe(5);
    expect(metricOf(text, 'coredns_dns_do_requests_total{server="dns://127.0.0.1:0",view="",zone="."}')).toBe(1);
    // An empty answer without an SOA record is none of the denials.
    const hits = 'coredns_cache_hits_total{server="dns://127.0.0.1:0",type="success",view="",zones="example."}';
    expect(metricOf(text, hits)).toBe(1);
    expect(
      metricOf(text, 'coredns_plugin_enabled{name="kubernetes",server="dns://127.0.0.1:0",view="",zone="."}'),
    ).toBe(1);
  });
});
