import type { Packet } from 'dns-packet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Random } from '../../../src/kube/clock.ts';
import { COREDNS, CoreDnsPeer, WITHOUT_COREDNS } from '../../helpers/coredns-peer.ts';
import { buildQuery } from '../../helpers/dns-chain.ts';
import { compareServers } from '../../helpers/dns-compare.ts';
import { startTestServer } from '../../helpers/dns-test-server.ts';
import { FakeResolver } from '../../helpers/fake-resolver.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';
import { deviatingFields, withoutDeviations } from './deviations.ts';

const QUESTIONS = 600 * Number(process.env['TOWTANK_FUZZ'] ?? 1);
const FORWARD = 'forward . UPSTREAM';
const files = {
  hosts:
    '192.0.2.1 a.example b.example\n192.0.2.2 a.example\nfd00::1 a.example\n10.0.0.1 *.example\n192.0.2.9 shop.old.test\n',
  'resolv.conf': 'search one.example two.example\n',
};

/** Plugins of a block; what stands behind `forward` is a resolver that knows every name, or pretends. */
const blocks: readonly string[] = [
  FORWARD,
  `cache 30\n${FORWARD}`,
  `cache 30 example {\n success 100 5\n denial 100 3 2\n servfail 0\n}\n${FORWARD}`,
  `${FORWARD} {\n except example\n}`,
  `forward example UPSTREAM\nhosts hosts`,
  `${FORWARD} {\n force_tcp\n}`,
  `hosts hosts example in-addr.arpa {\n ttl 60\n 192.0.2.77 inline.example\n fallthrough\n}\n${FORWARD}`,
  `hosts hosts {\n no_reverse\n fallthrough example\n}\n${FORWARD}`,
  `hosts {\n 192.0.2.1 a.example\n 192.0.2.2 a.example\n}`,
  `template IN A example {\n answer "{{ .Name }} 60 IN A 192.0.2.4"\n}\n${FORWARD}`,
  `template ANY ANY test {\n rcode NXDOMAIN\n authority "test. 60 IN SOA ns.test. root.test. (1 60 60 60 60)"\n}\n${FORWARD}`,
  `template IN ANY . {\n match "^(?P<first>[a-z0-9-]+)[.](?P<rest>.*)[.]$"\n answer "{{ .Name }} 10 IN TXT \\"{{ .Group.first }} of {{ .Group.rest }} {{ .Type }} {{ .Class }}\\""\n additional "{{ .Group.first }}. 5 IN A 192.0.2.3"\n fallthrough example\n}\n${FORWARD}`,
  `template IN A . {\n match "^shop.*$"\n answer "{{ .Question.Name }} 60 IN CNAME a.example."\n upstream\n fallthrough\n}\n${FORWARD}`,
  `template IN MX example {\n answer "{{ .Name }} 60 IN MX 10 mx.{{ .Name }}"\n answer "{{ .Zone }} 60 IN MX 20 mx.{{ .Zone }}"\n ederror 21 "not here"\n}\n${FORWARD}`,
  `rewrite name a.example b.example\n${FORWARD}`,
  `rewrite name exact a.example shop.old.test answer auto\n${FORWARD}`,
  `rewrite stop {\n name regex (.*)[.]old[.]test {1}.example\n answer name (.*)[.]example {1}.old.test\n}\n${FORWARD}`,
  `rewrite stop {\n name suffix .old.test .example answer auto\n}\n${FORWARD}`,
  `rewrite name prefix shop. web.\n${FORWARD}`,
  `rewrite name substring o 0\n${FORWARD}`,
  `rewrite continue name suffix .old.test .example\nrewrite name prefix a. b.\n${FORWARD}`,
  `rewrite stop {\n name regex (.*)[.]old[.]test {1}.example answer auto\n}\nrewrite type ANY HINFO\n${FORWARD}`,
  `rewrite type A AAAA\n${FORWARD}`,
  `rewrite class CH IN\n${FORWARD}`,
  `rewrite ttl suffix .example 10-20\n${FORWARD}`,
  `rewrite ttl regex .* 120\nrewrite ttl exact a.example -30\n${FORWARD}`,
  `rewrite rcode suffix .example NXDOMAIN NOERROR\n${FORWARD}`,
  `rewrite cname exact alias.of.a.example. b.example.\n${FORWARD}`,
  `rewrite edns0 local set 0xffee abcdef\n${FORWARD}`,
  `rewrite edns0 nsid append\nrewrite edns0 subnet set 24 56\n${FORWARD}`,
  `rewrite continue {\n name suffix .test .example\n answer value (.*)[.]example {1}.test\n}\n${FORWARD}`,
  `autopath resolv.conf\n${FORWARD}`,
  `autopath one.example resolv.conf\nhosts hosts {\n fallthrough\n}\n${FORWARD}`,
  `loadbalance\nrewrite name regex (.+) {1} answer auto\n${FORWARD}`,
  `errors\nlog\nprometheus 127.0.0.1:0\ncache 5 {\n disable denial\n}\n${FORWARD}`,
];

describe.runIf(COREDNS !== undefined)(`the same answers as CoreDNS with other plugins [${WITHOUT_COREDNS}]`, () => {
  let upstream: FakeResolver;
  beforeAll(async () => {
    upstream = await FakeResolver.start(resolve);
  });
  afterAll(() => upstream[Symbol.asyncDispose]());

  it.each(blocks)('%s', async (text) => {
    const block = text.replaceAll('UPSTREAM', `127.0.0.1:${upstream.port}`);
    await using peer = await CoreDnsPeer.start(block, { files });
    const readFile = async (path: string): Promise<string | undefined> => files[path as keyof typeof files];
    await using own = await startTestServer(`. {\nbind 127.0.0.1\n${block}\n}\n`, [], { readFile });
    const random = seededRandom(text.length);
    const queries = Array.from({ length: QUESTIONS }, () => randomQuery(random));
    // TTLs count down in caches, at each server's own second; the text of a name there is that of whoever asked first.
    const cached = text.includes('cache');
    const servers = { theirs: peer.port, ours: own.port };
    const except = deviatingFields(text);
    const differences = await compareServers(queries, { ...servers, withoutDeviations, cached, except });
    expect(differences).toBe('');
  });
});

const labels = ['a', 'b', 'shop', 'web', 'cut', 'alias', 'none', 'fail', 'www.one', 'www', 'x.y', 'inline'];
const parents = ['example.', 'example.', 'old.test.', 'test.', 'one.example.', 'two.example.', 'shop.old.test.'];
const types = ['A', 'A', 'AAAA', 'MX', 'TXT', 'SRV', 'NS', 'SOA', 'CNAME', 'PTR', 'HTTPS', 'ANY', 'HINFO'];

function randomQuery(random: Random) {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  const reverse = pick(['1.2.0.192.in-addr.arpa.', '9.2.0.192.in-addr.arpa.', '4.4.8.8.in-addr.arpa.']);
  const lower = random() < 0.1 ? reverse : `${pick(labels)}.${pick(parents)}`;
  const name = random() < 0.1 ? lower.toUpperCase() : lower;
  const type = pick(types);
  const edns = random() < 0.6 ? { edns: { udpSize: pick([512, 1232, 4096]), flags: random() < 0.3 ? 0x8000 : 0 } } : {};
  const flags = (random() < 0.8 ? 0x100 : 0) | (random() < 0.1 ? 0x10 : 0);
  return { name, type, packet: buildQuery(name, type, { flags, class: random() < 0.03 ? 3 : 1, ...edns }) };
}

/** Answers every question by its name: `cut` needs TCP, `none` does not exist, `fail` fails, `alias` points on. */
function resolve(query: Packet, transport: 'udp' | 'tcp'): Packet {
  const { name = '', type = 'A' } = query.questions?.[0] ?? {};
  const lower = name.toLowerCase();
  const first = lower.split('.')[0];
  const own = (query.flags ?? 0) & 0x0110;
  const opt = query.additionals?.find((record) => record.type === 'OPT');
  const additionals = opt ? [{ ...opt, options: [] }] : [];
  const soa = {
    mname: 'ns.example',
    rname: 'root.example',
    serial: 1,
    refresh: 60,
    retry: 60,
    expire: 60,
    minimum: 30,
  };
  const authorities = [{ type: 'SOA', name: 'example', ttl: 300, data: soa }];
  const reply = (rcode: number, answers: unknown[], more = {}): Packet =>
    ({ flags: 0x0080 | own | rcode, answers, additionals, ...more }) as unknown as Packet;
  if (first === 'none') return reply(3, [], { authorities });
  if (first === 'fail') return reply(2, []);
  if (first === 'alias') {
    const target = lower.replace('alias.', 'a.');
    const cname = { type: 'CNAME', name, ttl: 200, data: target };
    return reply(0, type === 'CNAME' ? [cname] : [cname, ...recordsOf(target, type)]);
  }
  if (first === 'cut' && transport === 'udp') return { ...reply(0, []), flags: 0x0280 | own } as Packet;
  const answers = recordsOf(name, type);
  return answers.length > 0 ? reply(0, answers) : reply(0, [], { authorities });
}

function recordsOf(name: string, type: string): unknown[] {
  const record = (data: unknown, ttl = 100): unknown => ({ type, name, ttl, data });
  switch (type) {
    case 'A':
      return [record('192.0.2.101', 15), record('192.0.2.102', 40)];
    case 'AAAA':
      return [record('fd00::101')];
    case 'MX':
      return [record({ preference: 10, exchange: `mx.${name}` }), record({ preference: 20, exchange: 'mx.example' })];
    case 'TXT':
      return [record(['v=1', 'a "quoted" text \\ ;'])];
    case 'SRV':
      return [record({ priority: 1, weight: 2, port: 80, target: `t.${name}` })];
    case 'NS':
      return [record('ns.example')];
    case 'PTR':
      return [record('host.example')];
    default:
      return [];
  }
}
