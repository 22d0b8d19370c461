import { describe, expect, it } from 'vitest';
import { printRecord } from '../../../../src/dns/wire/record-text.ts';
import { DnsChain } from '../../../helpers/dns-chain.ts';

const HOSTS = `hosts /h {
  192.0.2.1 web.example.org
  192.0.2.2 db.new.example.org
  no_reverse
}
template IN SRV srv.example.org {
  answer "{{ .Name }} 60 IN SRV 0 0 80 target.srv.example.org."
}
template IN CNAME alias.example.org {
  answer "{{ .Name }} 60 IN CNAME web.example.org."
}
template IN TXT txt.example.org {
  answer "{{ .Name }} 4000 IN TXT seen"
}
template IN A fail.example.org {
  rcode NXDOMAIN
}`;

async function chain(...rules: readonly string[]): Promise<DnsChain> {
  return await DnsChain.build(`. {\n${rules.map((rule) => `rewrite ${rule}`).join('\n')}\n${HOSTS}\n}\n`);
}

describe('rewrite name', () => {
  it('exact answers under the name asked', async () => {
    const own = await chain('name old.example.com web.example.org');
    expect(await own.answer('Old.example.com.', 'A')).toEqual(['old.example.com. 3600 IN A 192.0.2.1']);
    expect((await own.ask('other.example.com.', 'A')).rcode).toBe(2);
  });

  it('prefix, suffix, substring and regex find their part', async () => {
    expect(await (await chain('name prefix old. web.')).answer('old.example.org.', 'A')).toHaveLength(1);
    expect(await (await chain('name suffix .example.com .example.org')).answer('web.example.com.', 'A')).toHaveLength(
      1,
    );
    expect(await (await chain('name substring com org')).answer('web.example.com.', 'A')).toHaveLength(1);
    const regex = await chain('name regex (.*)-in-(.*)\\.example\\.com {1}.{2}.example.org');
    expect(await regex.answer('db-in-new.example.com.', 'A')).toEqual(['db.new.example.org. 3600 IN A 192.0.2.2']);
  });

  it('answer auto gives names and targets of the reply their old form', async () => {
    const own = await chain('name suffix .example.com .example.org answer auto');
    expect(await own.answer('srv.example.com.', 'SRV')).toEqual([
      'srv.example.com. 60 IN SRV 0 0 80 target.srv.example.com.',
    ]);
  });

  it('answer name and answer value rewrite by pattern', async () => {
    const rule =
      'name suffix .example.com .example.org answer name (.*)\\.example\\.org {1}.example.net answer value target\\.(.*)\\. goal.{1}';
    expect(await (await chain(rule)).answer('srv.example.com.', 'SRV')).toEqual([
      'srv.example.net. 60 IN SRV 0 0 80 goal.srv.example.org.',
    ]);
  });

  it('stops at the first rule that applies, unless it says continue', async () => {
    const stop = await chain('name a.com b.com', 'name b.com web.example.org');
    expect((await stop.ask('a.com.', 'A')).rcode).toBe(2);
    const go = await chain('continue name a.com b.com', 'name b.com web.example.org');
    expect(await go.answer('a.com.', 'A')).toEqual(['a.com. 3600 IN A 192.0.2.1']);
  });

  it('that makes no name is SERVFAIL and told', async () => {
    const own = await chain(`name regex ^(.*)\\.$ {1}.{1}.{1}.{1}.example.org`);
    const reply = await own.ask(`${'a'.repeat(63)}.${'b'.repeat(63)}.`, 'A');
    expect([reply.rcode, reply.error]).toEqual([2, expect.stringContaining('invalid name after rewrite')]);
  });
});

describe('a reply that cannot be rewritten', () => {
  it('is SERVFAIL and told, not a crash', async () => {
    const own = await chain('name suffix .example.com .example.org answer value (.*)\\.(org)\\. {1}..{2}');
    const reply = await own.ask('srv.example.com.', 'SRV');
    expect([reply.rcode, reply.error]).toEqual([2, expect.stringContaining('not a domain name')]);
  });
});

describe('rewrite of other parts', () => {
  it('type and class are changed before the plugins behind', async () => {
    const own = await chain('type ANY TXT', 'class CH IN');
    expect(await own.answer('txt.example.org.', 'ANY')).toHaveLength(1);
  });

  it('ttl is set, or kept within a range', async () => {
    expect(await (await chain('ttl txt.example.org 7')).answer('txt.example.org.', 'TXT')).toEqual([
      'txt.example.org. 7 IN TXT "seen"',
    ]);
    expect(await (await chain('ttl suffix example.org -300')).answer('txt.example.org.', 'TXT')).toEqual([
      'txt.example.org. 300 IN TXT "seen"',
    ]);
    expect(await (await chain('ttl regex .* 9000-')).answer('txt.example.org.', 'TXT')).toEqual([
      'txt.example.org. 9000 IN TXT "seen"',
    ]);
  });

  it('rcode is changed also where the plugins behind gave a bare code', async () => {
    expect((await (await chain('rcode fail.example.org NXDOMAIN NOERROR')).ask('fail.example.org.', 'A')).rcode).toBe(
      0,
    );
    const bare = await (await chain('rcode suffix example.org SERVFAIL REFUSED')).ask('nothing.example.org.', 'A');
    expect([bare.rcode, bare.written]).toEqual([5, true]);
  });

  it('cname gets another target and what that leads to', async () => {
    const own = await chain('cname exact web.example.org. db.new.example.org.');
    const reply = await own.ask('alias.example.org.', 'CNAME');
    expect(reply.answer.map(printRecord)[0]).toBe('alias.example.org. 60 IN CNAME db.new.example.org.');
  });

  it('edns0 options reach the plugins behind and leave the client alone', async () => {
    const own = await chain('edns0 local set 0xffee {client_ip}', 'edns0 subnet set 24 56', 'edns0 nsid unset');
    expect((await own.ask('web.example.org.', 'A', { from: '198.51.100.7' })).options).toEqual([]);
  });
});
