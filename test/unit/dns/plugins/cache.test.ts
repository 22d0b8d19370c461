import { describe, expect, it } from 'vitest';
import type { Handler, Plugin } from '../../../../src/dns/plugins/plugin.ts';
import { bareReply, buildReply, type Reply } from '../../../../src/dns/server/reply.ts';
import { Rcode } from '../../../../src/dns/wire/rcode.ts';
import { addressRecord, nameRecord, type ResourceRecord, soaRecord } from '../../../../src/dns/wire/record.ts';
import { RecordType } from '../../../../src/dns/wire/record-type.ts';
import { buildRequest, DnsChain, type RequestOptions } from '../../../helpers/dns-chain.ts';
import { SteppedClock, settled } from '../../../helpers/stepped-clock.ts';

const NAME = 'www.example.com.';
const soa = soaRecord('example.com.', 300, {
  mname: 'a.',
  rname: 'b.',
  serial: 1,
  refresh: 1,
  retry: 1,
  expire: 1,
  minimum: 60,
});
const address = (ttl: number, ip = '192.0.2.1'): ResourceRecord => addressRecord(NAME, ttl, ip)!;
const positive = (ttl: number, ip?: string): Reply =>
  buildReply('forward', { recursionAvailable: true, authenticatedData: true, answer: [address(ttl, ip)] });
const denied = buildReply('forward', { rcode: Rcode.NXDOMAIN, authority: [soa] });
const failed = buildReply('forward', { rcode: Rcode.SERVFAIL });

/** The cache plugin in front of a backend whose reply can be set; counts what reaches it. */
async function setup(options: string) {
  const clock = new SteppedClock();
  const chain = await DnsChain.build(`. {\ncache ${options}\n}\n`, { clock });
  const cache: Plugin = chain.plugin('cache');
  const backend = { reply: positive(60) as Reply | Promise<Reply>, asked: 0, lastFlags: 0 };
  const next: Handler = (request) => {
    backend.asked++;
    backend.lastFlags = request.message.flags;
    return backend.reply;
  };
  const ask = async (name = NAME, type = 'A', more?: RequestOptions): Promise<Reply> =>
    await cache.handle!(buildRequest(name, type, more), next);
  const ttlOf = async (): Promise<number | undefined> => (await ask()).answer[0]?.ttl;
  return { clock, chain, backend, ask, ttlOf };
}

describe('cache', () => {
  it('keeps an answer for its TTL, counting down, with AA set', async () => {
    const { clock, backend, ask, ttlOf } = await setup('30');
    expect((await ask()).authoritative).toBe(false);
    await clock.step(10_000);
    expect(await ask()).toMatchObject({ authoritative: true, recursionAvailable: true, plugin: 'cache' });
    expect([await ttlOf(), backend.asked]).toEqual([20, 1]);
    await clock.step(20_000);
    await ask();
    expect(backend.asked).toBe(2);
  });

  it('gives every record of the first reply the time it is kept for', async () => {
    const { backend, ask } = await setup('30');
    backend.reply = buildReply('forward', { answer: [address(28_000), addressRecord(NAME, 200, '192.0.2.2')!] });
    expect((await ask()).answer.map(({ ttl }) => ttl)).toEqual([30, 30]);
    backend.reply = positive(1);
    expect((await ask('short.example.com.')).answer[0]?.ttl).toBe(5);
  });

  it('does not care for the case of a name, but for type, DO and CD', async () => {
    const { backend, ask } = await setup('30');
    for (const more of [{}, {}, { edns: { flags: 0x8000 } }, { flags: 0x0110 }])
      await ask('WWW.example.com.', 'A', more);
    await ask(NAME, 'AAAA');
    expect(backend.asked).toBe(4);
  });

  it('keeps denials apart, SERVFAIL for five seconds, and lets a good answer go before SERVFAIL', async () => {
    const { clock, backend, ask } = await setup('30');
    backend.reply = denied;
    await ask();
    await ask();
    expect(backend.asked).toBe(1);
    backend.reply = failed;
    await ask('b.example.com.');
    await clock.step(4000);
    expect((await ask('b.example.com.')).rcode).toBe(Rcode.SERVFAIL);
    await clock.step(1000);
    await ask('b.example.com.');
    expect(backend.asked).toBe(3);
  });

  it('does not keep truncated replies, denials without SOA, aliases that lead nowhere, bare codes', async () => {
    const { backend, ask } = await setup('30');
    const alias = nameRecord(NAME, RecordType.CNAME, 60, 'gone.example.com.');
    for (const reply of [
      { ...positive(60), truncated: true },
      buildReply('forward', { rcode: Rcode.NXDOMAIN }),
      buildReply('forward', { answer: [alias] }),
      bareReply('forward', Rcode.REFUSED),
      buildReply('forward', { rcode: Rcode.REFUSED }),
    ]) {
      backend.reply = reply;
      backend.asked = 0;
      await ask();
      await ask();
      expect(backend.asked).toBe(2);
    }
    backend.reply = buildReply('forward', { answer: [alias], authority: [soa] });
    backend.asked = 0;
    await ask();
    await ask();
    expect(backend.asked).toBe(1);
  });

  it('asks for AD itself and shows it to those who asked', async () => {
    const { backend, ask } = await setup('30');
    expect((await ask()).authenticatedData).toBe(false);
    expect(backend.lastFlags & 0x20).toBe(0x20);
    expect((await ask(NAME, 'A', { flags: 0x0120 })).authenticatedData).toBe(true);
  });

  it('leaves other zones and disabled halves alone', async () => {
    const { backend, ask } = await setup('30 example.com {\n disable denial\n success 100\n}');
    await ask('www.example.org.');
    await ask('www.example.org.');
    expect(backend.asked).toBe(2);
    backend.reply = denied;
    await ask();
    await ask();
    expect(backend.asked).toBe(4);
  });

  it('keepttl shows the first TTL until the end', async () => {
    const { clock, ttlOf } = await setup('30 {\n keepttl\n}');
    await ttlOf();
    await clock.step(29_000);
    expect(await ttlOf()).toBe(30);
  });

  it('makes room for the newest when it is full', async () => {
    const { backend, ask, chain } = await setup('30 {\n success 2\n}');
    for (const name of ['a.', 'b.', 'c.', 'a.']) {
      backend.reply = buildReply('forward', { answer: [addressRecord(name, 60, '192.0.2.1')!] });
      await ask(name);
    }
    expect(backend.asked).toBe(4);
    expect(chain.metrics.print()).toContain(
      'coredns_cache_evictions_total{server="dns://:53",type="success",view="",zones="."} 2',
    );
  });

  it('prefetch asks again in the background before a popular answer ends', async () => {
    const { clock, backend, ttlOf } = await setup('30 {\n prefetch 2 1m 10%\n}');
    await ttlOf();
    await clock.step(28_000);
    await ttlOf();
    expect(backend.asked).toBe(1);
    backend.reply = positive(60, '192.0.2.2');
    expect(await ttlOf()).toBe(2);
    await settled();
    expect([backend.asked, await ttlOf()]).toEqual([2, 30]);
  });
});

describe('serve_stale', () => {
  it('immediate serves what has ended with TTL 0 and refreshes behind', async () => {
    const { clock, backend, ask, ttlOf } = await setup('30 {\n serve_stale 1h\n}');
    await ask();
    await clock.step(60_000);
    backend.reply = positive(60, '192.0.2.2');
    expect(await ttlOf()).toBe(0);
    await settled();
    expect(await ttlOf()).toBe(30);
    await clock.step(3_700_000);
    backend.reply = failed;
    expect((await ask()).rcode).toBe(Rcode.SERVFAIL);
  });

  it('verify asks first, and serves the old answer only when that fails', async () => {
    const { clock, backend, ask } = await setup('30 {\n serve_stale 1h verify\n}');
    await ask();
    await clock.step(60_000);
    backend.reply = failed;
    expect((await ask()).answer).toHaveLength(1);
    backend.reply = denied;
    expect((await ask()).rcode).toBe(Rcode.NXDOMAIN);
  });

  it('verify with a timeout serves the old answer when the new one is late', async () => {
    const { clock, backend, ask } = await setup('30 {\n serve_stale 1h verify 200ms 7s\n}');
    await ask();
    await clock.step(60_000);
    const late = Promise.withResolvers<Reply>();
    backend.reply = late.promise;
    const served = ask();
    await clock.step(200);
    expect((await served).answer[0]?.ttl).toBe(7);
    late.resolve(positive(60, '192.0.2.2'));
    await settled();
    backend.reply = failed;
    expect((await ask()).answer[0]?.ttl).toBe(30);
  });

  it('waits with the next attempt for the recheck time', async () => {
    const { clock, backend, ask } = await setup('30 {\n serve_stale 1h immediate 0s 10s\n}');
    await ask();
    await clock.step(60_000);
    backend.reply = failed;
    await ask();
    await settled();
    await ask();
    await settled();
    expect(backend.asked).toBe(2);
    await clock.step(10_000);
    await ask();
    await settled();
    expect(backend.asked).toBe(3);
  });
});
