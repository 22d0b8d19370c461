import { describe, expect, it } from 'vitest';
import { parseTemplate } from '../../../../src/dns/template/go-template.ts';
import { DnsChain } from '../../../helpers/dns-chain.ts';

describe('parseTemplate', () => {
  const data = { Name: 'a.', Group: { a: '0a', n: '7' }, Match: ['all', 'one'], Empty: '' };
  it.each([
    ['{{ .Name }} A', 'a. A'],
    ['{{.Group.a}}-{{ index .Match 1 }}-{{ index .Group "n" }}', '0a-one-7'],
    ['{{ parseInt .Group.a 16 8 }}', '10'],
    ['{{ printf "%02x:%s:%d%%" 9 .Name 3 }}', '09:a.:3%'],
    ['{{ .Group.a | printf "<%s>" }}', '<0a>'],
    ['{{ if eq .Group.n "7" }}seven{{ else }}other{{ end }}', 'seven'],
    ['{{ if and .Name (not .Empty) }}yes{{ end }}{{ if .Empty }}no{{ end }}', 'yes'],
    ['{{ .Missing }}', '<no value>'],
    ['{{/* comment */}}x{{- .Name -}}', 'xa.'],
    ['{{ len .Match }}{{ or .Empty "z" }}{{ `raw` }}', '2zraw'],
  ])('%s', (text, filled) => {
    expect(parseTemplate(text)(data)).toBe(filled);
  });

  it.each(['{{ range .Match }}', '{{ if .Name }}', '{{ nothing .Name }}', '{{ $x := 1 }}', '{{ (.Name }}'])(
    '%s is refused when it is read',
    (text) => {
      expect(() => parseTemplate(text)).toThrow(SyntaxError);
    },
  );
});

describe('template', () => {
  const build = (body: string, more = ''): Promise<DnsChain> => DnsChain.build(`. {\ntemplate ${body}\n${more}\n}\n`);

  it('answers names that a pattern matches', async () => {
    const own = await build(`IN A ip.example {
      match "^ip-(?P<a>[0-9]+)-(?P<b>[0-9]+)[.]ip[.]example[.]$"
      answer "{{ .Name }} 60 IN A 10.0.{{ .Group.a }}.{{ .Group.b }}"
      additional "{{ .Zone }} 60 IN TXT \\"{{ .Type }}/{{ .Class }} {{ .Remote }}\\""
      fallthrough
    }`);
    const reply = await own.ask('IP-1-2.ip.example.', 'A');
    expect(reply.authoritative).toBe(true);
    expect(await own.answer('ip-1-2.ip.example.', 'A')).toEqual(['ip-1-2.ip.example. 60 IN A 10.0.1.2']);
    expect(reply.additional).toHaveLength(1);
  });

  it('fails for names of its zone that do not match, unless they fall through', async () => {
    const strict = await build('IN A x.example {\n match ^a\n answer "{{ .Name }} A 192.0.2.1"\n}');
    expect((await strict.ask('b.x.example.', 'A')).written).toBe(false);
    expect((await strict.ask('b.y.example.', 'A')).error).toContain('no next plugin');
    const loose = await build('IN A x.example {\n match ^a\n fallthrough\n}');
    expect((await loose.ask('b.x.example.', 'A')).error).toContain('no next plugin');
  });

  it('gives codes, SOA in authority and extended errors', async () => {
    const own = await build(`IN ANY gone.example {
      rcode NXDOMAIN
      authority "{{ .Zone }} 60 IN SOA ns. h. 1 2 3 4 5"
      ederror 21 "not here"
    }`);
    const reply = await own.ask('a.gone.example.', 'MX', { edns: {} });
    expect([reply.rcode, reply.authority.length, Buffer.from(reply.options[0]!.data).toString()]).toEqual([
      3,
      1,
      '\0\x15not here',
    ]);
  });

  it('follows its own CNAME through the server', async () => {
    const own = await build(
      'IN ANY alias.example {\n answer "{{ .Name }} 5 IN CNAME web.example."\n}',
      'hosts /h example {\n 192.0.2.5 web.example\n}',
    );
    expect(await own.answer('x.alias.example.', 'A')).toEqual([
      'x.alias.example. 5 IN CNAME web.example.',
      'web.example. 3600 IN A 192.0.2.5',
    ]);
  });

  it('that makes no record is SERVFAIL and told', async () => {
    const own = await build('IN A bad.example {\n answer "{{ .Name }} 5 IN A nowhere"\n}');
    expect((await own.ask('a.bad.example.', 'A')).error).toContain('template made no record');
  });
});
