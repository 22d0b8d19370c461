import { describe, expect, it } from 'vitest';
import { hasCode } from '../../../../src/errors/towtank-error.ts';
import { DnsChain } from '../../../helpers/dns-chain.ts';

/** The error of a block with this plugin text; the plugin begins on line 2. */
async function errorOf(text: string): Promise<Error> {
  try {
    await DnsChain.build(`. {\n${text}\n}\n`);
  } catch (error) {
    return error as Error;
  }
  throw new Error(`accepted: ${text}`);
}

describe('a faulty plugin line', () => {
  it.each([
    ['dnssec', 2, "Unknown directive 'dnssec'"],
    ['kubernetes {\n magic\n}', 3, "unknown property 'magic'"],
    ['kubernetes {\n pods maybe\n}', 3, "'maybe' is not one of"],
    ['kubernetes {\n ttl 3601\n}', 3, 'not in the range'],
    ['kubernetes {\n ttl x\n}', 3, 'not a whole number'],
    ['kubernetes {\n ignore something\n}', 3, "'something' is not one of"],
    ['kubernetes {\n namespaces\n}', 3, 'Wrong argument count'],
    ['kubernetes {\n namespaces a\n namespace_labels b=c\n}', 2, 'cannot both be set'],
    ['kubernetes {\n zonal\n noendpoints\n}', 2, 'zonal requires the endpoint cache'],
    ['kubernetes cluster.local {\n multicluster other.local\n}', 2, 'not authoritative'],
    ['kubernetes 1.10.in-addr.arpa', 2, 'non-reverse zone name must be used'],
    ['kubernetes\nkubernetes', 3, 'only be used once'],
    ['forward .', 2, 'Wrong argument count'],
    ['forward . tls://9.9.9.9', 2, "'tls' is not supported"],
    ['forward . nowhere', 2, 'not an IP address or file'],
    ['forward . 192.0.2.1:99999999', 2, 'not an IP address or file'],
    ['forward . 192.0.2.1 {\n policy best\n}', 3, "'best' is not one of"],
    ['forward . 192.0.2.1 {\n failover NOERROR\n}', 3, 'NoError cannot be used'],
    ['forward . 192.0.2.1 {\n health_check 1s twice\n}', 3, 'unknown option twice'],
    ['forward . 192.0.2.1 {\n max_fails -1\n}', 3, 'not in the range'],
    [`forward . ${Array(16).fill('192.0.2.1').join(' ')}`, 2, 'more than 15'],
    ['cache 0', 2, 'not in the range'],
    ['cache {\n disable nothing\n}', 3, "'nothing' is not one of"],
    ['cache {\n servfail 10m\n}', 3, 'not permitted'],
    ['cache {\n serve_stale 1h later\n}', 3, "'later' is not one of"],
    ['cache {\n serve_stale_policy prefer_positive\n}', 3, 'requires serve_stale'],
    ['cache {\n prefetch 2 1m 5\n}', 3, 'should be %'],
    ['health {\n lameduck soon\n}', 3, "invalid duration 'soon'"],
    ['health 8080', 2, 'not an address with a port'],
    ['ready {\n monitor sometimes\n}', 3, "'sometimes' is not one of"],
    ['reload 1s', 2, 'greater or equal to 2s'],
    ['reload 5s 1ms', 2, 'jitter value'],
    ['loadbalance weighted', 2, "'weighted' is not one of"],
    ['loadbalance {\n prefer everything\n}', 3, 'invalid CIDR'],
    ['errors {\n consolidate 5m\n}', 3, 'Wrong argument count'],
    ['errors {\n consolidate 5m ( error\n}', 3, 'invalid regular expression'],
    ['errors {\n consolidate 5m x loudly\n}', 3, 'unknown option'],
    ['log . {\n class everything\n}', 3, "'everything' is not one of"],
    ['hosts {\n fallthrough\n 192.0.2.1 late\n}', 4, 'unknown property'],
    ['hosts {\n ttl 0\n}', 3, 'not in the range'],
    ['rewrite', 2, 'no rule type'],
    ['rewrite name a', 2, 'too few arguments'],
    ['rewrite name fuzzy a b', 2, 'supports only exact'],
    ['rewrite name regex (a) {1}.{2}', 2, 'more groups'],
    ['rewrite name suffix a b answer auto answer name c d', 2, 'cannot be combined'],
    ['rewrite type A', 2, 'exactly two arguments'],
    ['rewrite type A NOPE', 2, 'invalid type'],
    ['rewrite ttl a b', 2, 'invalid TTL'],
    ['rewrite rcode a NOPE NOERROR', 2, 'invalid RCODE'],
    ['rewrite edns0 local set 0xffee {nothing}', 2, 'unsupported variable'],
    ['rewrite edns0 subnet set 33 24', 2, 'not in the range'],
    ['rewrite answer name a b', 2, 'invalid rule type'],
    ['transfer', 2, "'to' is required"],
    ['transfer {\n to nowhere\n}', 3, 'not an IP address'],
    ['template IN', 2, 'invalid RR class'],
    ['template XX A', 2, 'invalid query class'],
    ['template IN A {\n answer "{{ range .Match }}"\n}', 3, 'not understood'],
    ['template IN A {\n match (\n}', 3, 'invalid regular expression'],
    ['template IN A {\n rcode NOPE\n}', 3, 'unknown rcode'],
    ['autopath', 2, 'Wrong argument count'],
    ['autopath nothere.conf', 2, 'no such file'],
    ['autopath @errors\nerrors', 2, 'knows no search paths'],
    ['k8s_external example.org', 2, 'kubernetes plugin not loaded'],
    ['bind eth0', 2, 'not a valid IP address'],
  ])('%j names its line', async (text, line, message) => {
    const error = await errorOf(text);
    expect(hasCode(error, 'ERR_DNS_CONFIG'), error.message).toBe(true);
    expect(error.message).toContain(`Corefile:${line} - `);
    expect(error.message).toContain(message);
  });

  it('two blocks for one zone and port are refused', async () => {
    await expect(DnsChain.build('. {\n errors\n}\n. {\n errors\n}\n')).rejects.toThrow('already defined');
  });
});

describe('a plugin that is not served', () => {
  it('is answered with those that are', async () => {
    const error = (await errorOf('etcd')) as Error & { hint: string };
    expect(error.hint).toContain('kubernetes');
    expect(error.hint).toContain('k8s_external');
  });
});
