import { describe, expect, it } from 'vitest';
import { parseRcode, printRcode } from '../../../../src/dns/wire/rcode.ts';
import { mapTarget, readSoa, targetOf } from '../../../../src/dns/wire/record.ts';
import { parseRecord, printRecord } from '../../../../src/dns/wire/record-text.ts';
import { parseRecordClass, parseRecordType, printRecordType } from '../../../../src/dns/wire/record-type.ts';

const lines = [
  'web.shop. 30 IN A 10.96.1.1',
  'web.shop. 30 IN AAAA fd00:96::2',
  'ext.shop. 30 IN CNAME api.example.com.',
  'cluster.local. 5 IN NS ns.dns.cluster.local.',
  '1.0.96.10.in-addr.arpa. 5 IN PTR kubernetes.default.svc.cluster.local.',
  'example.com. 60 IN MX 10 mail.example.com.',
  '_http._tcp.web. 30 IN SRV 0 100 80 web.shop.svc.cluster.local.',
  'dns-version.cluster.local. 28800 IN TXT "1.1.0" "say \\"hi\\""',
  'cluster.local. 30 IN SOA ns.dns. hostmaster. 1700000000 7200 1800 86400 30',
  'x. 1 IN TYPE4711 \\# 3 abcdef',
  'x. 1 CH TXT "chaos"',
];

describe('record text', () => {
  it.each(lines)('%s is read and printed unchanged', (line) => {
    expect(printRecord(parseRecord(line)!)).toBe(line);
  });

  it('leaves out ttl and class where they are missing', () => {
    expect(printRecord(parseRecord('web A 192.0.2.1')!)).toBe('web. 3600 IN A 192.0.2.1');
    expect(printRecord(parseRecord('web IN 5 A 192.0.2.1')!)).toBe('web. 5 IN A 192.0.2.1');
  });

  it('reads parentheses, comments and times with units', () => {
    const soa = parseRecord('x. 1h SOA ns. root. (7 1d\n 2h30m 1w 60) ; the end')!;
    expect(printRecord(soa)).toBe('x. 3600 IN SOA ns. root. 7 86400 9000 604800 60');
    expect(printRecord(parseRecord('x. 1 TXT "a;(b)"')!)).toBe('x. 1 IN TXT "a;(b)"');
  });

  it('refuses what is no record', () => {
    for (const line of [
      '',
      'web',
      'web A',
      'web A fd00::1',
      'web AAAA 192.0.2.1',
      'web SRV 0 1 x.',
      'web MX 99999 a.',
      'web FOO bar',
      'a..b A 192.0.2.1',
      'web SOA a. b. 1 2 3 4',
      'web 1 IN TYPE7 \\# 2 ab',
    ]) {
      expect(parseRecord(line), line).toBeUndefined();
    }
  });
});

describe('mapTarget', () => {
  it('changes the target and keeps what stands around it', () => {
    const srv = mapTarget(parseRecord('a. 1 IN SRV 1 2 3 old.example.')!, () => 'new.example.');
    expect(printRecord(srv)).toBe('a. 1 IN SRV 1 2 3 new.example.');
    const soa = mapTarget(parseRecord('a. 1 IN SOA old. h. 1 2 3 4 5')!, () => 'new.');
    expect(readSoa(soa)).toMatchObject({ mname: 'new.', rname: 'h.', minimum: 5 });
    const address = parseRecord('a. 1 IN A 192.0.2.1')!;
    expect(mapTarget(address, () => 'new.')).toBe(address);
    expect(targetOf(parseRecord('a. 1 IN MX 5 mail.')!)).toBe('mail.');
  });
});

describe('numbers and names', () => {
  it('of types, classes and codes go both ways', () => {
    expect([parseRecordType('srv'), parseRecordType('TYPE65'), parseRecordType('TYPE70000')]).toEqual([
      33,
      65,
      undefined,
    ]);
    expect([printRecordType(65), printRecordType(4711)]).toEqual(['HTTPS', 'TYPE4711']);
    expect([parseRecordClass('ch'), parseRecordClass('CLASS9'), parseRecordClass('x')]).toEqual([3, 9, undefined]);
    expect([parseRcode('nxdomain'), parseRcode('23'), parseRcode('nope'), printRcode(3), printRcode(77)]).toEqual([
      3,
      23,
      undefined,
      'NXDOMAIN',
      '77',
    ]);
  });
});
