import { spawn } from 'node:child_process';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, createCluster } from '../../../src/index.ts';
import type { ConfigMap, Event, Pod } from '../../../src/kube/generated/types.ts';
import { type CommandResult, runTowtank } from '../../helpers/run-towtank.ts';

const pod = (name: string, spec: string): string => `
---
apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  containers: [{name: shell, image: busybox}]
${spec}`;

const searches = Array.from({ length: 30 }, (_, i) => `s${i}.example`).join(', ');
const MANIFEST = `
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {clusterIP: 10.96.7.7, ipFamilyPolicy: SingleStack, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: none}
spec: {clusterIP: None, selector: {app: nobody}, ports: [{port: 80}]}
${pod('shell', '')}
${pod('own', '  dnsPolicy: None\n  dnsConfig: {nameservers: [10.96.0.10], searches: [corp.example], options: [{name: ndots, value: "2"}, {name: single-request}]}')}
${pod('merged', '  dnsConfig: {nameservers: [192.0.2.1], searches: [corp.example, cluster.local], options: [{name: ndots, value: "1"}]}')}
${pod('host', '  hostNetwork: true')}
${pod('hostnet', '  hostNetwork: true\n  dnsPolicy: ClusterFirstWithHostNet')}
${pod('many', `  dnsConfig: {nameservers: [192.0.2.1, 192.0.2.2, 192.0.2.3], searches: [${searches}]}`)}
`;

const launcher = new URL('../../../towtank', import.meta.url).pathname;
const stateRoot = mkdtempSync(join(tmpdir(), 'tt-'));
let cluster: Cluster;
beforeAll(async () => {
  cluster = await createCluster({ name: 'dns', nodes: 2, stateRoot, manifests: [MANIFEST] });
  for (const name of ['shell', 'own', 'merged', 'host', 'hostnet', 'many']) {
    await cluster.wait({ resource: 'pods', name, for: 'Ready' });
  }
});
afterAll(async () => {
  await cluster?.down();
  rmSync(stateRoot, { recursive: true, force: true });
});

const query = (...words: readonly string[]): CommandResult =>
  runTowtank(['dns', 'query', '--name', 'dns', ...words], { TOWTANK_STATE_DIR: stateRoot, NO_COLOR: '1' });

describe('towtank dns query', () => {
  it('shows the search walk, each question and why it is answered so', () => {
    const { stdout, exitCode } = query('web', '--from', 'shell');
    expect(stdout).toContain('search      default.svc.cluster.local svc.cluster.local cluster.local\n');
    expect(stdout).toContain('options     ndots:5\n');
    expect(stdout).toMatch(
      /^1 {3}web\.default\.svc\.cluster\.local\. {3}A {6}10\.96\.0\.10\/udp {3}ANSWER {3}Service default\/web: its cluster IP, which kube-proxy turns into one of 0 ready endpoint\(s\)$/m,
    );
    expect(stdout).toContain('\nweb.default.svc.cluster.local. 30 IN A 10.96.7.7\n');
    expect(exitCode).toBe(0);
  });

  it('says why a name is not there, and that nobody outside is asked, and exits 1', () => {
    const { stdout, exitCode } = query('none.default', '--from', 'default/shell', '-o', 'json');
    const { steps, found } = JSON.parse(stdout);
    expect(steps.map((step: { name: string }) => step.name)).toEqual([
      'none.default.default.svc.cluster.local.',
      'none.default.svc.cluster.local.',
      'none.default.cluster.local.',
      // Both name servers, since the first one failed.
      'none.default.',
      'none.default.',
    ]);
    expect(steps[1]).toMatchObject({
      outcome: 'NXDOMAIN',
      why: 'Service default/none has no ready endpoint, so its name does not exist',
    });
    expect(steps[3]).toMatchObject({
      outcome: 'SERVFAIL',
      extendedError: 'upstream forwarding is off: this network has no way out',
    });
    expect(found).toBe(false);
    expect(exitCode).toBe(1);
  });

  it('takes types, addresses, and the walk of musl', () => {
    expect(query('_http._tcp.web', 'srv', '--from', 'shell').stdout).toContain(
      'SRV 0 100 80 web.default.svc.cluster.local.',
    );
    expect(query('10.96.7.7', '--from', 'shell').stdout).toContain('PTR web.default.svc.cluster.local.');
    expect(query('a.b.c.d.e.f', '--from', 'shell', '--library', 'musl', '-o', 'yaml').stdout).toContain(
      'candidates:\n  - a.b.c.d.e.f.\nsteps:',
    );
  });

  it.each([
    [['web', '--from', 'nobody'], 'pods "nobody" not found'],
    [['web', 'NONSENSE', '--from', 'shell'], '"NONSENSE" is no type of record'],
    [['web', '--from', 'host'], 'the resolv.conf of this place names no name server'],
    [['web'], "required option '--from <place>' not specified"],
  ])('refuses %j and exits 2', (words, message) => {
    const { stderr, exitCode } = query(...words);
    expect(stderr).toContain(message);
    expect(exitCode).toBe(2);
  });
});

describe('resolv.conf of pods', () => {
  const resolvConf = async (name: string): Promise<string> =>
    (await cluster.pod(name).exec(['cat', '/etc/resolv.conf'])).stdout;
  const servers = 'nameserver 10.96.0.10\nnameserver fd00:10:96::a\n';
  const search = 'search default.svc.cluster.local svc.cluster.local cluster.local';

  it('follows dnsPolicy and dnsConfig', async () => {
    expect(await resolvConf('shell')).toBe(`${search}\n${servers}options ndots:5\n`);
    expect(await resolvConf('own')).toBe(
      'search corp.example\nnameserver 10.96.0.10\noptions ndots:2 single-request\n',
    );
    expect(await resolvConf('merged')).toBe(
      `${search} corp.example\n${servers}nameserver 192.0.2.1\noptions ndots:1\n`,
    );
    expect(await resolvConf('hostnet')).toBe(`${search}\n${servers}options ndots:5\n`);
    expect(await resolvConf('host')).toBe('');
  });

  it('keeps the limits of the kubelet and tells them as events', async () => {
    const conf = await resolvConf('many');
    expect(conf).toContain(`${servers}nameserver 192.0.2.1\noptions`);
    expect(/^search (.*)$/m.exec(conf)?.[1]?.split(' ')).toHaveLength(32);
    const events = await cluster.get<Event>('events');
    const told = events.filter(
      ({ involvedObject, reason }) => involvedObject.name === 'many' && reason === 'DNSConfigForming',
    );
    expect(told.map(({ message }) => message).sort()).toEqual([
      expect.stringMatching(/^Nameserver limits were exceeded, .* line is: 10\.96\.0\.10 fd00:10:96::a 192\.0\.2\.1$/),
      expect.stringMatching(
        /^Search Line limits were exceeded, .* line is: default\.svc\.cluster\.local .* s28\.example$/,
      ),
    ]);
  });
});

describe('towtank dns serve', () => {
  it('follows any API server that a kubeconfig names', async () => {
    const server = spawn(launcher, ['dns', 'serve', '--kubeconfig', cluster.kubeconfig, '--listen', '127.0.0.1:0'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const lines = createInterface({ input: server.stderr });
    let port: string | undefined;
    for await (const line of lines) {
      port = /serving the objects of the API server of .* at 127\.0\.0\.1:(\d+)/.exec(line)?.[1];
      if (port !== undefined) break;
    }
    const resolver = new Resolver();
    resolver.setServers([`127.0.0.1:${port}`]);
    const resolved = async (name: string): Promise<string> =>
      (await resolver.resolve4(name).catch((error: Error) => [error.message])).join();
    expect(await resolved('web.default.svc.cluster.local')).toBe('10.96.7.7');
    await cluster.apply(
      '{apiVersion: v1, kind: Service, metadata: {name: later}, spec: {clusterIP: 10.96.7.8, ports: [{port: 80}]}}',
    );
    await expect.poll(() => resolved('later.default.svc.cluster.local'), { timeout: 30_000 }).toBe('10.96.7.8');
    await cluster.delete('services', 'later', 'default');
    await expect
      .poll(() => resolved('later.default.svc.cluster.local'), { timeout: 30_000 })
      .toBe('queryA ENOTFOUND later.default.svc.cluster.local');
    server.kill('SIGTERM');
    expect((await once(server, 'exit'))[0]).toBe(0);
  });

  it('says when nobody answers, and begins all the same, as CoreDNS does', async () => {
    const file = join(stateRoot, 'kubeconfig');
    writeFileSync(file, readFileSync(cluster.kubeconfig, 'utf8').replace(/(server: .*:)\d+/, '$11'));
    const server = spawn(launcher, ['dns', 'serve', '--kubeconfig', file, '--listen', '127.0.0.1:0'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let told = '';
    for await (const line of createInterface({ input: server.stderr })) {
      told += `${line}\n`;
      if (line.includes('serving')) break;
    }
    expect(told).toContain('ECONNREFUSED');
    expect(told).toContain('starting server with unsynced Kubernetes API');
    server.kill('SIGTERM');
    expect((await once(server, 'exit'))[0]).toBe(0);
  });

  it.each([
    [[], 'nothing to serve'],
    [
      ['-f', 'a', '--kubeconfig', 'b'],
      "option '--kubeconfig <file>' cannot be used with option '-f, --file <objects.yaml>'",
    ],
    [['--kubeconfig', '/no/such'], 'cannot read /no/such'],
  ])('refuses %j and exits 2', (words, message) => {
    const { stderr, exitCode } = runTowtank(['dns', 'serve', '--listen', '127.0.0.1:0', ...words], {});
    expect(stderr).toContain(message);
    expect(exitCode).toBe(2);
  });
});

describe('the DNS servers', () => {
  const replicas = async (): Promise<readonly Pod[]> =>
    (await cluster.get<Pod>('pods')).filter(({ metadata }) => metadata?.labels?.['k8s-app'] === 'kube-dns');

  it('answer health, readiness and metrics as CoreDNS does, each at its address and behind kube-dns', async () => {
    const { fetch } = { fetch: (url: string) => cluster.pod('shell').fetch(url) };
    for (const { status } of await replicas()) {
      expect((await fetch(`http://${status?.podIP}:8080/health`)).body).toBe('OK');
      expect((await fetch(`http://${status?.podIP}:8181/ready`)).body).toBe('OK');
    }
    const { body } = await fetch('http://10.96.0.10:9153/metrics');
    expect(body).toMatch(/^coredns_build_info\{/m);
    expect(body).toMatch(/^coredns_plugin_enabled\{name="kubernetes",server="dns:\/\/:53",view="",zone="\."\} 1$/m);
  });

  it('take over a changed ConfigMap, and keep the old one when it is faulty', async () => {
    const { data = {} } = await cluster.get<ConfigMap>('configmaps', 'coredns', 'kube-system');
    const put = (corefile: string): Promise<unknown> =>
      cluster.apply(
        JSON.stringify({
          ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'coredns', namespace: 'kube-system' } },
          data: { Corefile: corefile },
        }),
      );
    const quick = data['Corefile']!.replace(/^ +reload$/m, 'reload 2s 1s');
    await put(quick);
    // The ones that run look every 30 seconds; their successors every other.
    const before = (await replicas()).map(({ metadata }) => metadata!.name!);
    for (const name of before) await cluster.delete('pods', name, 'kube-system');
    for (const name of before) await cluster.wait({ resource: 'pods', name, namespace: 'kube-system', for: 'deleted' });
    await cluster.wait({ resource: 'deployments', name: 'coredns', namespace: 'kube-system', for: 'Available' });
    const resolved = async (): Promise<string> =>
      (await cluster.pod('shell').exec(['getent', 'ahostsv4', 'www.example.test.'])).stdout.split(' ')[0]!;
    expect(await resolved()).toBe('');
    const hosts = 'hosts {\n 192.0.2.80 www.example.test\n fallthrough\n}\n';
    await put(quick.replace('kubernetes', `${hosts}kubernetes`));
    // Each replica looks by itself: the faulty one must not come before all have taken over the good one.
    const entries = async (): Promise<readonly boolean[]> =>
      Promise.all(
        (await replicas()).map(async ({ status }) =>
          /^coredns_hosts_entries/m.test(
            (await cluster.pod('shell').fetch(`http://${status?.podIP}:9153/metrics`)).body,
          ),
        ),
      );
    await expect.poll(entries, { timeout: 30_000 }).toEqual(before.map(() => true));
    expect(await resolved()).toBe('192.0.2.80');
    await put(quick.replace('kubernetes', 'teleport\nkubernetes'));
    const failed = async (): Promise<string> =>
      (await cluster.pod('shell').exec(['curl', '-sS', 'http://10.96.0.10:9153/metrics'])).stdout;
    await expect.poll(failed, { timeout: 30_000 }).toMatch(/^coredns_reload_failed_total [1-9]/m);
    expect(await resolved()).toBe('192.0.2.80');
  });
});
