import { describe, expect, it } from 'vitest';
import { parseDuration } from '../../../../src/dns/corefile/duration.ts';
import { normalizeZones } from '../../../../src/dns/corefile/normalize-zone.ts';
import { type CorefileInput, parseCorefile } from '../../../../src/dns/corefile/parse-corefile.ts';
import { readTokens } from '../../../../src/dns/corefile/tokens.ts';
import { defaultCorefile } from '../../../../src/dns/default-corefile.ts';
import { hasCode } from '../../../../src/errors/towtank-error.ts';

const parse = (text: string, more: Partial<CorefileInput> = {}) => parseCorefile({ text, ...more });
const texts = (text: string): readonly string[] => readTokens(text, 'Corefile').map((token) => token.text);

/** Blocks as plain data: keys, and each plugin as its words with its option lines below. */
function outline(text: string, more?: Partial<CorefileInput>): unknown {
  return parse(text, more).map(({ keys, directives }) => ({
    keys: keys.map(({ zone, port }) => `${zone}:${port}`),
    plugins: directives.map(({ name, args, options }) => [
      [name, ...args].map((token) => token.text).join(' '),
      ...options.map((line) => [line.name, ...line.args].map((token) => token.text).join(' ')),
    ]),
  }));
}

describe('readTokens', () => {
  it('splits at white space, drops comments also inside words, and keeps quoted text whole', () => {
    expect(texts('a b#c d\n"e # f" "say \\"hi\\"" "back\\slash"\r\n')).toEqual([
      'a',
      'b',
      'e # f',
      'say "hi"',
      'back\\slash',
    ]);
  });

  it('counts lines through quotes', () => {
    expect(readTokens('"a\nb" c\nd', 'F').map(({ text, line }) => [text, line])).toEqual([
      ['a\nb', 1],
      ['c', 2],
      ['d', 3],
    ]);
  });
});

describe('parseCorefile', () => {
  it('reads what kubeadm installs', () => {
    expect(outline(defaultCorefile())).toEqual([
      {
        keys: ['.:53'],
        plugins: [
          ['errors'],
          ['health', 'lameduck 5s'],
          ['ready'],
          [
            'kubernetes cluster.local in-addr.arpa ip6.arpa',
            'pods insecure',
            'fallthrough in-addr.arpa ip6.arpa',
            'ttl 30',
          ],
          ['prometheus :9153'],
          ['forward . /etc/resolv.conf', 'max_concurrent 1000'],
          ['cache 30', 'disable success cluster.local', 'disable denial cluster.local'],
          ['loop'],
          ['reload'],
          ['loadbalance'],
        ],
      },
    ]);
  });

  it('takes several keys, ports, schemes, reverse networks and blocks', () => {
    const text = 'Example.ORG, dns://example.net:1053,\n10.0.0.0/24 {\n errors\n}\n.:5300 { errors\n}';
    expect(outline(text, { port: 5353 })).toEqual([
      { keys: ['example.org.:5353', 'example.net.:1053', '0.0.10.in-addr.arpa.:5353'], plugins: [['errors']] },
      { keys: ['.:5300'], plugins: [['errors']] },
    ]);
  });

  it('needs no braces for a single block', () => {
    expect(outline('.:53\nerrors\ncache 30 {\n success 5\n}\n')).toEqual([
      { keys: ['.:53'], plugins: [['errors'], ['cache 30', 'success 5']] },
    ]);
  });

  it('puts in snippets, files and the environment', () => {
    const text =
      '(common) {\n errors\n log . {\n  class all\n }\n}\n. {\n import common\n import more.conf\n ready {$ADDR}\n x "{%NONE%}"\n}';
    const readImport = (path: string): string | undefined => (path === 'more.conf' ? 'loop' : undefined);
    expect(outline(text, { readImport, environment: { ADDR: ':8181' } })).toEqual([
      { keys: ['.:53'], plugins: [['errors'], ['log .', 'class all'], ['loop'], ['ready :8181'], ['x ']] },
    ]);
  });

  it.each([
    ['. {\n errors\n', 1, 'not closed'],
    ['. {\n cache {\n success 5\n', 2, 'not closed'],
    ['. {\n import nothing\n}', 2, 'File to import not found: nothing'],
    ['(a) {\n import a\n}\n. {\n import a\n}', 2, 'more than'],
    ['(a) {\n}\n(a) {\n}', 3, 'redeclaration'],
    ['tls://. {\n}', 1, 'unsupported transport'],
    ['a..b {\n}', 1, 'not a valid domain name'],
    ['. {\n errors\n }\n }\n', 4, 'unexpected'],
  ])('names file and line of %j', (text, line, message) => {
    const read = (): unknown => parse(text, { file: '/etc/Corefile' });
    expect(read).toThrow(`/etc/Corefile:${line} - `);
    expect(read).toThrow(message);
    try {
      read();
    } catch (error) {
      expect(hasCode(error, 'ERR_DNS_CONFIG')).toBe(true);
    }
  });
});

describe('normalizeZones', () => {
  it('turns networks into reverse zones, several where the mask is inside a label', () => {
    expect(normalizeZones('10.0.0.0/8')).toEqual(['10.in-addr.arpa.']);
    expect(normalizeZones('10.1.128.0/18')).toHaveLength(64);
    expect(normalizeZones('10.1.128.0/18')?.[0]).toBe('128.1.10.in-addr.arpa.');
    expect(normalizeZones('fd00::/16')).toEqual(['0.0.d.f.ip6.arpa.']);
    expect(normalizeZones('2001:db8::/31')).toEqual(['8.b.d.0.1.0.0.2.ip6.arpa.', '9.b.d.0.1.0.0.2.ip6.arpa.']);
    expect(normalizeZones('Example.ORG')).toEqual(['example.org.']);
    expect(normalizeZones('a..b')).toBeUndefined();
  });
});

describe('parseDuration', () => {
  it('reads what Go reads', () => {
    const cases = { '5s': 5000, '1h30m': 5_400_000, '500ms': 500, '0': 0, '1.5s': 1500, '-2s': -2000, '100us': 0.1 };
    for (const [text, ms] of Object.entries(cases)) expect(parseDuration(text), text).toBeCloseTo(ms);
    for (const text of ['5', 's', '', '5 s', '1d', '--5s']) expect(parseDuration(text), text).toBeUndefined();
  });
});
