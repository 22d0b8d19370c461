import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createIptablesRunner } from '../../../src/kernel/runners/iptables-runner.ts';
import { createNftRunner } from '../../../src/kernel/runners/nft-runner.ts';
import { connectTcp } from '../../../src/kernel/sockets.ts';
import { resources } from '../../../src/kube/resources.ts';
import { findProxyRules } from '../../../src/proxy/find-proxy-rules.ts';
import { buildEndpoint, buildEndpointSlice, buildNode, buildService } from '../../helpers/build-objects.ts';
import { type NamespaceApi, runHostProxy, serveApiIn, startHostProxy } from '../../helpers/host-proxy.ts';
import { PacketLab } from '../../helpers/packet-lab.ts';
import { LAB } from '../../helpers/proxy-node.ts';

let stack = new AsyncDisposableStack();
afterEach(async () => {
  await stack.disposeAsync();
  stack = new AsyncDisposableStack();
});

interface Host {
  readonly lab: PacketLab;
  readonly api: NamespaceApi;
  /** Words of a command line for node-1. */
  words(mode: string): string[];
}

async function createHost(): Promise<Host> {
  const lab = stack.use(await PacketLab.create('node-1', LAB));
  const api = stack.use(await serveApiIn(lab.node));
  const client = api.server.client('test');
  await client.create(resources.nodes, buildNode({ name: 'node-1', ips: ['172.18.0.2'] }));
  await client.create(resources.services, buildService({ clusterIP: '10.96.0.10' }));
  await client.create(
    resources.endpointSlices,
    buildEndpointSlice({ endpoints: [buildEndpoint({ ip: '10.244.0.2' })] }),
  );
  const config = join(api.folder, 'config.yaml');
  writeFileSync(
    config,
    ['apiVersion: kubeproxy.config.k8s.io/v1alpha1', 'kind: KubeProxyConfiguration', 'clusterCIDR: 10.244.0.0/16'].join(
      '\n',
    ),
  );
  return {
    lab,
    api,
    words: (mode) => [
      '--kubeconfig',
      api.kubeconfig,
      '--node-name',
      'node-1',
      '--proxy-mode',
      mode,
      '--config',
      config,
    ],
  };
}

const send = (lab: PacketLab) =>
  lab.send({ from: 'pod', source: '10.244.0.9', protocol: 'tcp', destination: '10.96.0.10', port: 80 });

function get(lab: PacketLab, port: number, path: string): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ path, createConnection: () => connectTcp(lab.node, { host: '127.0.0.1', port }) });
    asked.on('error', reject);
    asked.on('response', async (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      await once(response, 'end');
      resolve({ status: response.statusCode ?? 0, body });
    });
    asked.end();
  });
}

const runnersOf = (lab: PacketLab) => ({
  iptables: createIptablesRunner(lab.node, { backend: 'auto' }),
  nft: createNftRunner(lab.node),
});

async function writeForeignRules(lab: PacketLab, mode: 'iptables' | 'nftables'): Promise<void> {
  const { iptables, nft } = runnersOf(lab);
  if (mode === 'iptables') await iptables.run('ipv4', ['-t', 'nat', '-N', 'KUBE-SERVICES']);
  else await nft.run('add table ip kube-proxy\n');
}

it.each(['iptables', 'nftables'] as const)(
  'towtank proxy carries connections itself, led by rules of %s',
  async (rules) => {
    const { lab, api, words } = await createHost();
    const flags = ['--portal-rules', rules, '--idle-timeout', '1h', '--drain-timeout', '1m'];
    const first = stack.use(startHostProxy(lab.node, [...words('userspace'), ...flags]));
    await first.synced;
    expect(await send(lab)).toEqual({ kind: 'answered', backend: '10.244.0.2:8080', seenSource: '172.18.0.2' });
    const client = api.server.client('test');
    const [slice] = (await client.list(resources.endpointSlices)).items;
    await client.update(resources.endpointSlices, { ...slice!, endpoints: [buildEndpoint({ ip: '10.244.0.3' })] });
    await expect.poll(() => send(lab), { timeout: 30_000 }).toMatchObject({ backend: '10.244.0.3:8080' });
    expect(await get(lab, 10_249, '/proxyMode')).toEqual({ status: 200, body: 'userspace' });
    expect((await get(lab, 10_249, '/metrics')).body).toMatch(/towtank_userspace_connections_total\{.*\} [1-9]/);

    first.program.kill('SIGTERM');
    expect(await first.program.exited).toEqual({ exitCode: 0, signal: undefined });
    expect(await send(lab)).toMatchObject({ kind: 'refused' });
    const second = stack.use(startHostProxy(lab.node, [...words('userspace'), ...flags]));
    await second.synced;
    expect(await send(lab)).toMatchObject({ kind: 'answered', backend: '10.244.0.3:8080' });
  },
);

describe.each(['iptables', 'nftables'] as const)('towtank proxy in userspace mode with rules of %s', (rules) => {
  const routing = (lab: PacketLab): string => lab.node.run(() => execFileSync('ip', ['rule'])).toString();

  // Until it is killed, after which its rules are there.
  async function showClients({ lab, api, words }: Host): Promise<void> {
    const client = api.server.client('test');
    const endpoints = [buildEndpoint({ ip: '10.244.0.2', nodeName: 'node-1' })];
    const [slice] = (await client.list(resources.endpointSlices)).items;
    await client.update(resources.endpointSlices, { ...slice!, endpoints });
    const proxy = stack.use(startHostProxy(lab.node, [...words('userspace'), '--portal-rules', rules]));
    await proxy.synced;
    expect(await send(lab)).toMatchObject({ seenSource: '172.18.0.2' });
    const annotations = { 'towtank.dev/client-address': 'preserve' };
    const web = { name: 'web', namespace: 'default' };
    await client.patch(resources.services, web, { type: 'merge', body: { metadata: { annotations } } });
    await expect.poll(() => send(lab), { timeout: 30_000 }).toMatchObject({ seenSource: '10.244.0.9' });
    expect(routing(lab)).toContain('fwmark 0x2000/0x2000 lookup 8192');
    proxy.program.kill('SIGKILL');
    await proxy.program.exited;
  }

  async function leftOf(lab: PacketLab): Promise<readonly string[]> {
    const { nft, iptables } = runnersOf(lab);
    return [
      ...(routing(lab).includes('0x2000') ? ['routing'] : []),
      ...((await nft.listTable('ip', 'towtank-replies')) === undefined ? [] : ['table']),
      ...((await iptables.save('ipv4')).includes('--transparent') ? ['rule'] : []),
    ];
  }

  it('shows endpoints the client where asked, until clean-up', async () => {
    const host = await createHost();
    await showClients(host);
    expect(await runHostProxy(host.lab.node, ['--cleanup'])).toEqual({ exitCode: 0, stderr: '' });
    expect(await leftOf(host.lab)).toEqual([]);
  });

  it.each(['iptables', 'nftables'])('leaves nothing of that when the next one runs in mode %s', async (mode) => {
    const host = await createHost();
    await showClients(host);
    expect(await leftOf(host.lab)).toHaveLength(2);
    const next = stack.use(startHostProxy(host.lab.node, host.words(mode)));
    await next.synced;
    await expect.poll(() => leftOf(host.lab), { timeout: 30_000 }).toEqual([]);
    expect(await send(host.lab)).toMatchObject({ kind: 'answered', seenSource: '10.244.0.9' });
  });
});

describe.each(['iptables', 'nftables'] as const)('towtank proxy in %s mode', (mode) => {
  it('carries packets as a real API server says, through a restart, until clean-up', async () => {
    const { lab, api, words } = await createHost();
    const first = stack.use(startHostProxy(lab.node, words(mode)));
    await first.synced;
    expect(await send(lab)).toEqual({ kind: 'answered', backend: '10.244.0.2:8080', seenSource: '10.244.0.9' });
    const slices = resources.endpointSlices;
    const [slice] = (await api.server.client('test').list(slices)).items;
    await api.server.client('test').update(slices, { ...slice!, endpoints: [buildEndpoint({ ip: '10.244.0.3' })] });
    await expect.poll(() => send(lab), { timeout: 30_000 }).toMatchObject({ backend: '10.244.0.3:8080' });

    expect(await get(lab, 10_256, '/healthz')).toMatchObject({ status: 200 });
    expect(await get(lab, 10_249, '/proxyMode')).toEqual({ status: 200, body: mode });
    expect((await get(lab, 10_249, '/metrics')).body).toContain('kubeproxy_sync_proxy_rules_duration_seconds_count');

    first.program.kill('SIGTERM');
    expect(await first.program.exited).toEqual({ exitCode: 0, signal: undefined });
    expect(await send(lab)).toMatchObject({ kind: 'answered', backend: '10.244.0.3:8080' });

    const second = stack.use(startHostProxy(lab.node, words(mode)));
    await second.synced;
    second.program.kill('SIGKILL');
    await second.program.exited;
    expect(await runHostProxy(lab.node, ['--cleanup'])).toEqual({ exitCode: 0, stderr: '' });
    expect(await findProxyRules(runnersOf(lab))).toEqual([]);
    const { iptables, nft } = runnersOf(lab);
    expect(await iptables.save('ipv4')).not.toContain('TOWTANK');
    expect(await nft.listTable('ip', 'towtank-proxy')).toBeUndefined();
  });

  it('removes the rules of its other mode', async () => {
    const { lab, words } = await createHost();
    const other = mode === 'iptables' ? 'nftables' : 'iptables';
    const before = stack.use(startHostProxy(lab.node, words(other)));
    await before.synced;
    before.program.kill('SIGTERM');
    await before.program.exited;
    const after = stack.use(startHostProxy(lab.node, words(mode)));
    await after.synced;
    const found = await findProxyRules(runnersOf(lab));
    expect(new Set(found.map((rules) => rules.mode))).toEqual(new Set([mode]));
    expect(await send(lab)).toMatchObject({ kind: 'answered' });
  });

  it('knows its rules after a restart that it wrote anew because somebody had flushed everything', async () => {
    const { lab, api, words } = await createHost();
    const config = join(api.folder, 'quick.yaml');
    const kind = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n';
    writeFileSync(config, `${kind}clusterCIDR: 10.244.0.0/16\n${mode}: {syncPeriod: 200ms}\n`);
    const first = stack.use(startHostProxy(lab.node, [...words(mode), '--config', config]));
    await first.synced;
    const { iptables, nft } = runnersOf(lab);
    if (mode === 'nftables') await nft.run('flush ruleset\n');
    else await iptables.restore('ipv4', '*mangle\nCOMMIT\n*nat\nCOMMIT\n*filter\nCOMMIT\n', { noflush: false });
    await expect.poll(() => send(lab), { timeout: 30_000 }).toMatchObject({ kind: 'answered' });
    first.program.kill('SIGTERM');
    await first.program.exited;
    const second = stack.use(startHostProxy(lab.node, words(mode)));
    await second.synced;
    expect(await send(lab)).toMatchObject({ kind: 'answered' });
  });

  it('does not take for its own what another proxy writes where it once had rules', async () => {
    const { lab, words } = await createHost();
    const other = mode === 'iptables' ? 'nftables' : 'iptables';
    for (const each of [mode, other]) {
      const proxy = stack.use(startHostProxy(lab.node, words(each)));
      await proxy.synced;
      proxy.program.kill('SIGTERM');
      await proxy.program.exited;
    }
    await writeForeignRules(lab, mode);
    const { exitCode, stderr } = await runHostProxy(lab.node, words(other));
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('another proxy owns') });
    expect(await findProxyRules(runnersOf(lab))).toContainEqual({ mode, family: 'ipv4' });
  });

  it('does not take for its own what another proxy writes where it never came to write', async () => {
    const { lab, api, words } = await createHost();
    await api.goAway();
    const proxy = stack.use(startHostProxy(lab.node, words(mode)));
    await expect.poll(() => proxy.log(), { timeout: 40_000 }).toContain('cannot reach the API server');
    proxy.program.kill('SIGKILL');
    await proxy.program.exited;
    await writeForeignRules(lab, mode);
    expect(await runHostProxy(lab.node, words(mode))).toMatchObject({ exitCode: 2 });
  });

  it('does not start beside rules of another proxy, and leaves them alone', async () => {
    const { lab, words } = await createHost();
    await writeForeignRules(lab, mode);
    const { exitCode, stderr } = await runHostProxy(lab.node, words('nftables'));
    expect(exitCode).toBe(2);
    expect(stderr).toContain('another proxy owns the rules of this network namespace');
    expect(stderr).toContain(mode === 'iptables' ? 'KUBE-SERVICES' : 'table ip kube-proxy of nftables');
    expect(stderr).toContain('towtank proxy --cleanup');
    expect(await findProxyRules(runnersOf(lab))).toEqual([{ mode, family: 'ipv4' }]);
  });
});

it('a taken port is told with the setting that moves it', async () => {
  const { lab, words } = await createHost();
  const first = stack.use(startHostProxy(lab.node, words('nftables')));
  await first.synced;
  const { exitCode, stderr } = await runHostProxy(lab.node, words('nftables'));
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('port 10256 is in use') });
});

it('the configuration of the reference page is one that runs', async () => {
  const { lab, api } = await createHost();
  const page = new URL('../../../docs/reference/towtank-proxy.md', import.meta.url);
  const [, yaml = ''] = /^```yaml\n([\s\S]*?)^```/m.exec(readFileSync(page, 'utf8')) ?? [];
  const config = join(api.folder, 'documented.yaml');
  writeFileSync(config, yaml);
  const words = ['--config', config, '--kubeconfig', api.kubeconfig, '--context', 'lab', '--node-name', 'node-1'];
  const proxy = stack.use(startHostProxy(lab.node, words));
  await proxy.synced;
  expect(await get(lab, 10_249, '/proxyMode')).toEqual({ status: 200, body: 'nftables' });
  // Root inside a user namespace may not keep itself in memory.
  const score = readFileSync(`/proc/${proxy.program.pid}/oom_score_adj`, 'utf8').trim();
  expect(proxy.log().includes('oomScoreAdj cannot be -999') || score === '-999').toBe(true);
  expect(await send(lab)).toMatchObject({ kind: 'answered', backend: '10.244.0.2:8080' });
});

it('an API server that is away at the start is waited for, and the proxy can be ended meanwhile', async () => {
  const { lab, api, words } = await createHost();
  await api.goAway();
  const first = stack.use(startHostProxy(lab.node, words('nftables')));
  await expect.poll(() => first.log(), { timeout: 40_000 }).toContain('cannot reach the API server');
  first.program.kill('SIGTERM');
  expect(await first.program.exited).toEqual({ exitCode: 0, signal: undefined });
  expect(await findProxyRules(runnersOf(lab))).toEqual([]);

  const second = stack.use(startHostProxy(lab.node, words('nftables')));
  await expect.poll(() => second.log(), { timeout: 40_000 }).toContain('cannot reach the API server');
  await api.comeBack();
  await second.synced;
  expect(await send(lab)).toMatchObject({ kind: 'answered', backend: '10.244.0.2:8080' });
});
