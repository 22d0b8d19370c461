import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Packet } from 'dns-packet';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runQuery } from '../../../src/dns/query/run-query.ts';
import { searchCandidates, walksOn } from '../../../src/dns/query/search-walk.ts';
import { hostNetwork } from '../../../src/dns/server/dns-network.ts';
import { RecordType } from '../../../src/dns/wire/record-type.ts';
import { printResolvConf, type ResolvConf } from '../../../src/kube/resolv-conf.ts';
import { startTestServer } from '../../helpers/dns-test-server.ts';
import { fixtureObjects } from '../../helpers/dns-vector-cluster.ts';
import { readDnsVectors } from '../../helpers/dns-vectors.ts';
import { FakeResolver } from '../../helpers/fake-resolver.ts';
import { realClock } from '../../helpers/real-clock.ts';
import { runProgram } from '../../helpers/run-program.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';

interface SearchVector {
  readonly id: string;
  readonly resolvConf: ResolvConf;
  readonly name: string;
  readonly queries: readonly {
    readonly qname: string;
    readonly outcome: 'ANSWER' | 'NODATA' | 'NXDOMAIN' | 'SERVFAIL';
  }[];
  readonly result: string | null;
}

const vectors = readDnsVectors<SearchVector>('search');
const NAMESERVER = '10.244.0.20';
// What the vectors' cluster knew beside its Services: names that exist, one without addresses, one that fails.
const COREFILE = `. {
  log
  template IN ANY nodata.shop.svc.cluster.local {
    rcode NOERROR
    authority "cluster.local. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. (1 2 3 4 5)"
  }
  template IN ANY sf.shop.svc.cluster.local {
    rcode SERVFAIL
  }
  transfer {
    to *
  }
  hosts {
    10.96.3.3 nodata.svc.cluster.local
    10.96.3.4 sf.svc.cluster.local
    192.0.2.77 onlyhost.corp.example
    192.0.2.53 www.example.com
    192.0.2.99 a.b.c.d.e.f
    fallthrough
  }
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    pods insecure
    fallthrough in-addr.arpa ip6.arpa
  }
  forward . 127.0.0.1:UPSTREAM
}
`;
const MUSL_PROGRAM = `
#include <stdio.h>
#include <netdb.h>
#include <arpa/inet.h>
int main(int argc, char **argv) {
  struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found;
  int failed = getaddrinfo(argv[1], 0, &hints, &found);
  if (failed) { puts(gai_strerror(failed)); return 2; }
  char text[INET_ADDRSTRLEN];
  puts(inet_ntop(AF_INET, &((struct sockaddr_in *)found->ai_addr)->sin_addr, text, sizeof text));
}
`;

let stack: AsyncDisposableStack;
let folder: string;
const asked: string[] = [];

beforeAll(async () => {
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  execFileSync('ip', ['addr', 'replace', `${NAMESERVER}/32`, 'dev', 'lo']);
  stack = new AsyncDisposableStack();
  folder = mkdtempSync(join(tmpdir(), 'towtank-dns-'));
  stack.defer(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'nsswitch.conf'), 'hosts: dns\n');
  const denies = (): Packet => ({ flags: 0x8183, answers: [] });
  const upstream = stack.use(await FakeResolver.start(denies));
  const log = (_level: string, line: string): void => {
    const name = /"\S+ IN (\S+) /.exec(line)?.[1];
    if (name !== undefined) asked.push(name);
  };
  const corefile = COREFILE.replace('UPSTREAM', String(upstream.port));
  stack.use(
    await startTestServer(corefile, fixtureObjects('edge'), { log, listen: { address: NAMESERVER, port: 53 } }),
  );
});
afterAll(() => stack.disposeAsync());
beforeEach(() => {
  asked.length = 0;
});

/** Runs a program with the resolv.conf of a vector. */
async function run(conf: ResolvConf, command: readonly string[]): Promise<{ stdout: string; status: number }> {
  const file = join(folder, 'resolv.conf');
  writeFileSync(file, printResolvConf(conf));
  const script =
    'mount --bind "$1/resolv.conf" /etc/resolv.conf && mount --bind "$1/nsswitch.conf" /etc/nsswitch.conf && shift && exec "$@"';
  return await runProgram(['unshare', '--mount', 'sh', '-c', script, 'sh', folder, ...command]);
}

const byId = vectors.map((vector) => [vector.id, vector] as const);

describe('search walks', () => {
  it.each(byId)('of glibc: %s', async (_id, { resolvConf, name, queries, result }) => {
    const { stdout, status } = await run(resolvConf, ['getent', 'ahostsv4', name]);
    expect(status === 0 ? stdout.split(/\s/)[0] : null).toBe(result);
    expect(asked).toEqual(queries.map(({ qname }) => qname));
  });

  it.each(byId)('of `dns query`: %s', async (_id, { resolvConf, name, queries, result }) => {
    const options = { conf: resolvConf, network: hostNetwork(), clock: realClock, random: seededRandom() };
    const { steps, found } = await runQuery(name, RecordType.A, options);
    expect(found).toBe(result !== null);
    // glibc asks a second time after SERVFAIL; told once here.
    const once = queries.filter(({ qname }, i) => queries[i - 1]?.qname !== qname);
    expect(steps.map((step) => ({ qname: step.name, outcome: step.outcome }))).toEqual(once);
    if (result !== null) expect(steps.at(-1)!.records[0]).toMatch(new RegExp(` IN A ${result}$`));
  });

  const musl = spawnSync('musl-gcc', ['--version']).status === 0;
  it.runIf(musl).each(byId)(
    'of musl: %s [needs musl-gcc; Debian: musl-tools]',
    async (_id, { resolvConf, name, queries, result }) => {
      const program = buildMuslProgram();
      const outcomes = new Map(queries.map(({ qname, outcome }) => [qname, outcome]));
      const expected: string[] = [];
      for (const candidate of searchCandidates(name, resolvConf, 'musl')) {
        expected.push(candidate);
        if (!walksOn(outcomes.get(candidate) ?? 'NXDOMAIN', 'musl')) break;
      }
      const { stdout } = await run(resolvConf, [program, name]);
      // musl asks again after SERVFAIL, at once and then some more.
      expect(asked.filter((qname, i) => asked[i - 1] !== qname)).toEqual(expected);
      if (outcomes.get(expected.at(-1)!) === 'ANSWER') expect(stdout.trim()).toBe(result);
    },
  );

  function buildMuslProgram(): string {
    const program = join(folder, 'resolve');
    if (spawnSync('test', ['-x', program]).status === 0) return program;
    writeFileSync(`${program}.c`, MUSL_PROGRAM);
    execFileSync('musl-gcc', ['-static', '-o', program, `${program}.c`]);
    return program;
  }
});

const missing = ['dig', 'host', 'getent'].filter((tool) => spawnSync('which', [tool]).status !== 0);
describe.runIf(missing.length === 0)('tools [needs dig, host and getent; Debian: bind9-dnsutils, bind9-host]', () => {
  const [{ resolvConf }] = vectors as readonly [SearchVector];
  const dig = async (...args: readonly string[]): Promise<string> => {
    const { stdout, status } = await run(resolvConf, ['dig', ...args]);
    expect(status).toBe(0);
    // What dig finds wrong with a reply; that it wanted recursion and that .local is for mDNS, it says of any cluster DNS.
    expect(stdout).not.toMatch(/WARNING: (?!\.local|recursion)|malformed|extra bytes|FORMERR/i);
    return stdout;
  };

  it.each([
    [['+short', 'web.team-a.svc.cluster.local'], '10.96.2.1'],
    [['+short', '+search', 'web.team-a'], '10.96.2.1'],
    [['+short', '+tcp', 'web.team-a.svc.cluster.local'], '10.96.2.1'],
    [['+short', '+noedns', 'web.team-a.svc.cluster.local'], '10.96.2.1'],
    [['+short', '+subnet=192.0.2.0/24', '+nsid', '+dnssec', 'web.team-a.svc.cluster.local'], '10.96.2.1'],
    [['+short', '-x', '10.96.2.1'], 'web.team-a.svc.cluster.local.'],
    [['+short', 'TXT', 'dns-version.cluster.local'], '"1.1.0"'],
    [['+short', 'NS', 'cluster.local'], 'ns.dns.cluster.local.'],
  ])('dig %j', async (args, expected) => {
    expect((await dig(...args)).trim()).toBe(expected);
  });

  it('dig tells why a name is not there, and does not complain', async () => {
    const reply = await dig('ghost.shop.svc.cluster.local');
    expect(reply).toMatch(/status: NXDOMAIN/);
    expect(reply).toMatch(/AUTHORITY SECTION:\ncluster\.local\.\s+5\s+IN\s+SOA\s+ns\.dns\.cluster\.local\. hostmaster/);
    expect(await dig('+cookie', 'big.shop.svc.cluster.local')).toMatch(/ANSWER: 120/);
    expect(await dig('+ignore', '+bufsize=512', 'big.shop.svc.cluster.local')).toMatch(/flags: qr aa tc rd/);
  });

  it('dig transfers the zone', async () => {
    const lines = (await dig('+nocomments', '+nocmd', '+nostats', 'AXFR', 'cluster.local')).trim().split('\n');
    const soa = /^cluster\.local\.\s+5\s+IN\s+SOA/;
    expect([lines[0], lines.at(-1)]).toEqual([expect.stringMatching(soa), expect.stringMatching(soa)]);
    expect(lines.length).toBeGreaterThan(20);
    expect(
      lines.filter((line) => /^web\.team-a\.svc\.cluster\.local\.\s+5\s+IN\s+A\s+10\.96\.2\.1$/.test(line)),
    ).toHaveLength(1);
  });

  it('host prints addresses and names', async () => {
    expect((await run(resolvConf, ['host', 'web.team-a'])).stdout).toContain(
      'web.team-a.svc.cluster.local has address 10.96.2.1',
    );
    expect((await run(resolvConf, ['host', '10.96.2.1'])).stdout).toContain(
      'domain name pointer web.team-a.svc.cluster.local.',
    );
    expect((await run(resolvConf, ['host', 'ghost'])).stdout).toContain('not found: 3(NXDOMAIN)');
  });

  it('getent resolves in both directions', async () => {
    expect((await run(resolvConf, ['getent', 'hosts', '10.96.2.1'])).stdout).toMatch(
      /^10\.96\.2\.1\s+web\.team-a\.svc\.cluster\.local$/m,
    );
    expect((await run(resolvConf, ['getent', 'ahosts', 'web.team-a'])).stdout).toMatch(
      /^10\.96\.2\.1\s+STREAM web\.team-a\.svc\.cluster\.local$/m,
    );
  });
});
