import { describe, expect, it } from 'vitest';
import { Rcode } from '../../../../src/dns/wire/rcode.ts';
import { printRecord } from '../../../../src/dns/wire/record-text.ts';
import {
  buildEndpoint,
  buildEndpointSlice,
  buildNamespace,
  buildPod,
  buildService,
} from '../../../helpers/build-objects.ts';
import { DnsChain } from '../../../helpers/dns-chain.ts';
import { SteppedClock, settled } from '../../../helpers/stepped-clock.ts';

const shop = buildNamespace({ name: 'shop' });
const web = buildService({
  name: 'web',
  namespace: 'shop',
  clusterIP: '10.96.0.7',
  ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
});

describe('hosts', () => {
  const FILE =
    '# comment\n192.0.2.1 web.example web\n192.0.2.2 web.example # second\nfd00::1%eth0 web.example\n192.0.2.9 *.wild.example\nnonsense line\n';
  const build = (more: string, options = {}): Promise<DnsChain> =>
    DnsChain.build(`. {\nhosts /etc/hosts {\n${more}\n}\n}\n`, { files: { '/etc/hosts': FILE }, ...options });

  it('answers addresses of both families, wildcards of one label, and names of addresses', async () => {
    const chain = await build('');
    expect(await chain.answer('Web.example.', 'A')).toEqual([
      'web.example. 3600 IN A 192.0.2.1',
      'web.example. 3600 IN A 192.0.2.2',
    ]);
    expect(await chain.answer('web.example.', 'AAAA')).toEqual(['web.example. 3600 IN AAAA fd00::1']);
    expect(await chain.answer('x.wild.example.', 'A')).toHaveLength(1);
    expect(await chain.answer('1.2.0.192.in-addr.arpa.', 'PTR')).toEqual([
      '1.2.0.192.in-addr.arpa. 3600 IN PTR web.example.',
      '1.2.0.192.in-addr.arpa. 3600 IN PTR web.',
    ]);
    expect(await chain.ask('web.example.', 'MX')).toMatchObject({ rcode: 0, answer: [], authoritative: true });
    expect(await chain.ask('gone.example.', 'A')).toMatchObject({ rcode: Rcode.SERVFAIL, written: false });
  });

  it('takes lines from the Corefile, a TTL, no reverse names, and lets the rest fall through', async () => {
    const chain = await build('192.0.2.7 inline.example\nno_reverse\nttl 60\nfallthrough');
    expect(await chain.answer('inline.example.', 'A')).toEqual(['inline.example. 60 IN A 192.0.2.7']);
    expect((await chain.ask('7.2.0.192.in-addr.arpa.', 'PTR')).error).toContain('no next plugin');
    expect((await chain.ask('gone.example.', 'A')).error).toContain('no next plugin');
  });

  it('reads its file again when it changes', async () => {
    const clock = new SteppedClock();
    const chain = await build('reload 5s', { clock });
    chain.files['/etc/hosts'] = '192.0.2.50 new.example\n';
    await clock.step(5000);
    await settled();
    expect(await chain.answer('new.example.', 'A')).toHaveLength(1);
    expect(chain.metrics.print()).toContain('coredns_hosts_reload_timestamp_seconds');
  });

  it('says when its file is missing', async () => {
    const chain = await DnsChain.build('. {\nhosts /nowhere\n}\n');
    expect(chain.logged).toEqual(['warning: plugin/hosts: File does not exist: /nowhere']);
  });
});

describe('autopath', () => {
  const pod = buildPod({ name: 'caller', namespace: 'shop', ips: ['10.244.0.9'] });
  const build = (more = ''): Promise<DnsChain> =>
    DnsChain.build(
      `. {\nautopath @kubernetes\nkubernetes cluster.local {\n pods verified\n}\ntemplate IN A . {\n match ^www[.]example[.]$\n answer "{{ .Name }} 3600 IN A 192.0.2.1"\n fallthrough\n}\ntemplate ANY ANY corp.example {\n rcode NXDOMAIN\n}\n${more}\n}\n`,
      { objects: [shop, web, pod], files: { '/etc/resolv.conf': 'search corp.example\n' } },
    );

  it('walks the search path of the pod that asks, and says so with a CNAME', async () => {
    const chain = await build();
    expect(await chain.answer('www.example.shop.svc.cluster.local.', 'A', { from: '10.244.0.9' })).toEqual([
      'www.example.shop.svc.cluster.local. 3600 IN CNAME www.example.',
      'www.example. 3600 IN A 192.0.2.1',
    ]);
    expect(chain.metrics.print()).toContain('coredns_autopath_success_total{server="dns://:53"} 1');
  });

  it('does nothing for strangers and for names that are not first in a search path', async () => {
    const chain = await build();
    expect((await chain.ask('www.example.shop.svc.cluster.local.', 'A')).rcode).toBe(Rcode.NXDOMAIN);
    expect((await chain.ask('www.example.svc.cluster.local.', 'A', { from: '10.244.0.9' })).rcode).toBe(Rcode.NXDOMAIN);
    expect(await chain.answer('web.shop.svc.cluster.local.', 'A', { from: '10.244.0.9' })).toHaveLength(1);
  });

  it('gives the first denial when every path fails', async () => {
    const chain = await build('template ANY ANY {\n rcode NXDOMAIN\n}');
    const reply = await chain.ask('gone.shop.svc.cluster.local.', 'A', { from: '10.244.0.9' });
    expect([reply.rcode, reply.answer.length]).toEqual([Rcode.NXDOMAIN, 0]);
  });

  it('takes its search path from a file, too', async () => {
    const chain = await DnsChain.build('. {\nautopath /r\nhosts /h {\n 192.0.2.1 www.example\n}\n}\n', {
      files: { '/r': 'search first second\n' },
    });
    expect(await chain.answer('www.example.first.', 'A')).toHaveLength(2);
  });
});

describe('loadbalance', () => {
  const HOSTS = 'hosts /h {\n 10.0.0.1 a\n 10.1.0.1 a\n 10.2.0.1 a\n}';

  it('puts addresses in every order, and those of preferred networks first', async () => {
    const plain = await DnsChain.build(`. {\nloadbalance\n${HOSTS}\n}\n`);
    const orders = new Set<string>();
    for (let i = 0; i < 200; i++) orders.add((await plain.answer('a.', 'A')).join());
    expect(orders.size).toBe(6);
    const prefer = await DnsChain.build(
      `. {\nloadbalance round_robin {\n prefer 10.2.0.0/16 10.1.0.0/16\n}\n${HOSTS}\n}\n`,
    );
    for (let i = 0; i < 20; i++) {
      expect((await prefer.ask('a.', 'A')).answer.map(printRecord).map((line) => line.split(' ')[4])).toEqual([
        '10.2.0.1',
        '10.1.0.1',
        '10.0.0.1',
      ]);
    }
  });
});

describe('log', () => {
  it('tells each query in the format of CoreDNS', async () => {
    const chain = await DnsChain.build('. {\nlog\nhosts /h {\n 192.0.2.1 a.example\n}\n}\n');
    await chain.ask('A.example.', 'A', { edns: { udpSize: 1232, flags: 0x8000 }, from: 'fd00::9', transport: 'tcp' });
    expect(chain.logged.at(-1)).toMatch(
      /^info: \[fd00::9\]:40000 - 4660 "A IN a\.example\. tcp \d+ true 65535" NOERROR qr,aa,rd \d+ 0\.\d+s$/,
    );
  });

  it('keeps to the names, formats and classes it was given', async () => {
    const chain = await DnsChain.build(
      '. {\nlog example.org "{name} {rcode} {>opcode} {/x/y} {what}" {\n class denial error\n}\nhosts /h {\n 192.0.2.1 a.example.org a.example.com\n}\n}\n',
    );
    chain.logged.length = 0;
    await chain.ask('a.example.org.', 'A');
    await chain.ask('a.example.com.', 'A');
    await chain.ask('b.example.org.', 'A');
    expect(chain.logged).toEqual(['info: b.example.org. SERVFAIL 0 - {what}']);
  });
});

describe('errors', () => {
  it('tells queries that failed, and counts those of a pattern', async () => {
    const clock = new SteppedClock();
    const chain = await DnsChain.build(
      '. {\nerrors {\n consolidate 1m "no next" warning show_first\n}\nkubernetes\n}\n'.replace(
        'kubernetes',
        'kubernetes cluster.local',
      ),
      { clock },
    );
    for (let i = 0; i < 3; i++) await chain.ask('example.com.', 'A');
    expect(chain.logged).toEqual(['warning: plugin/errors: 2 example.com. A: plugin/kubernetes: no next plugin found']);
    await clock.step(60_000);
    expect(chain.logged.at(-1)).toBe("warning: plugin/errors: 3 errors like 'no next' occurred in last 1m");
    const plain = await DnsChain.build('. {\nerrors\nkubernetes cluster.local\n}\n');
    await plain.ask('example.com.', 'A');
    await plain.ask('example.com.', 'A');
    expect(plain.logged).toHaveLength(2);
  });

  it('tells what it has counted when it stops', async () => {
    const chain = await DnsChain.build('. {\nerrors {\n consolidate 1h next\n}\nkubernetes cluster.local\n}\n');
    await chain.ask('example.com.', 'A');
    await chain.plugin('errors').stop?.();
    expect(chain.logged).toEqual(["error: plugin/errors: 1 errors like 'next' occurred in last 1h"]);
  });
});

describe('forward without a way out', () => {
  it('says SERVFAIL and why, in an extended error', async () => {
    const chain = await DnsChain.build('. {\nforward . /etc/resolv.conf\n}\n', { upstream: 'off' });
    const reply = await chain.ask('example.com.', 'A', { edns: {} });
    expect(reply.rcode).toBe(Rcode.SERVFAIL);
    const [option] = reply.options;
    expect([option?.code, option?.data[1], Buffer.from(option!.data.subarray(2)).toString()]).toEqual([
      15,
      23,
      'upstream forwarding is off: this network has no way out',
    ]);
  });
});

describe('loop', () => {
  it('ends the server when its question comes back a third time', async () => {
    const chain = await DnsChain.build('. {\nloop\n}\n', { random: () => 0 });
    const question = '0.0.';
    for (let i = 0; i < 2; i++) await chain.ask(question, 'HINFO');
    await chain.ask('1.1.', 'HINFO');
    expect(chain.failures).toHaveLength(0);
    await chain.ask(question, 'HINFO');
    expect(chain.failures[0]?.message).toContain('Loop (192.0.2.99:40000');
  });
});

describe('transfer', () => {
  const objects = [
    shop,
    web,
    buildService({ name: 'db', namespace: 'shop', clusterIP: 'None' }),
    buildService({
      name: 'ext',
      namespace: 'shop',
      type: 'ExternalName',
      spec: { externalName: 'api.example', clusterIPs: [], clusterIP: '' },
    }),
    buildEndpointSlice({
      name: 'db-1',
      namespace: 'shop',
      service: 'db',
      endpoints: [buildEndpoint({ ip: '10.244.0.3', hostname: 'db-0' })],
      ports: [{ name: 'pg', port: 5432, protocol: 'TCP' }],
    }),
  ];
  const build = (to = '*'): Promise<DnsChain> =>
    DnsChain.build(`. {\nkubernetes cluster.local\ntransfer {\n to ${to}\n}\n}\n`, {
      objects,
      ownAddresses: ['192.0.2.53'],
    });

  it('sends the whole zone between two SOA records', async () => {
    const chain = await build();
    const reply = await chain.ask('cluster.local.', 'AXFR', { transport: 'tcp' });
    expect(reply.transfer!.map(printRecord).map((line) => line.replace(/ \d{10} 7200/, ' SERIAL 7200'))).toEqual([
      'cluster.local. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. SERIAL 7200 1800 86400 5',
      'cluster.local. 5 IN NS ns.dns.cluster.local.',
      'ns.dns.cluster.local. 0 IN A 192.0.2.53',
      'db.shop.svc.cluster.local. 5 IN A 10.244.0.3',
      'db-0.db.shop.svc.cluster.local. 5 IN A 10.244.0.3',
      '_pg._tcp.db.shop.svc.cluster.local. 5 IN SRV 0 100 5432 db-0.db.shop.svc.cluster.local.',
      'ext.shop.svc.cluster.local. 5 IN CNAME api.example.',
      'web.shop.svc.cluster.local. 5 IN A 10.96.0.7',
      'web.shop.svc.cluster.local. 5 IN SRV 0 100 80 web.shop.svc.cluster.local.',
      '_http._tcp.web.shop.svc.cluster.local. 5 IN SRV 0 100 80 web.shop.svc.cluster.local.',
      'cluster.local. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. SERIAL 7200 1800 86400 5',
    ]);
  });

  it('goes over TCP, to those allowed, and for zones that are ours', async () => {
    const chain = await build('192.0.2.99');
    expect((await chain.ask('cluster.local.', 'AXFR')).rcode).toBe(Rcode.REFUSED);
    expect((await chain.ask('cluster.local.', 'AXFR', { transport: 'tcp' })).transfer).toBeDefined();
    expect((await chain.ask('cluster.local.', 'AXFR', { transport: 'tcp', from: '192.0.2.1' })).rcode).toBe(
      Rcode.REFUSED,
    );
    expect((await chain.ask('example.com.', 'AXFR', { transport: 'tcp' })).rcode).toBe(Rcode.SERVFAIL);
    expect((await chain.ask('cluster.local.', 'IXFR', { transport: 'tcp' })).rcode).toBe(Rcode.SERVFAIL);
  });
});

describe('ready', () => {
  it('names the plugins that are not, and does not look back once they were', async () => {
    const chain = await DnsChain.build('. {\nready :8181\nkubernetes cluster.local\n}\n');
    const { state } = (chain.plugin('kubernetes') as unknown as { source: { state: { synced: boolean } } }).source;
    const page = chain.plugin('ready').pages![0]!;
    state.synced = false;
    expect(page.render()).toMatchObject({ status: 503, body: 'kubernetes' });
    state.synced = true;
    expect(page.render()).toMatchObject({ status: 200, body: 'OK' });
    state.synced = false;
    expect(page.render().status).toBe(200);
  });
});
