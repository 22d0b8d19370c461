import { afterEach, describe, expect, it } from 'vitest';
import type { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { createConntrackRunner } from '../../../src/kernel/runners/conntrack-runner.ts';
import { connectTcp } from '../../../src/kernel/sockets.ts';
import { resources } from '../../../src/kube/resources.ts';
import { buildEndpoint, buildEndpointSlice, buildService } from '../../helpers/build-objects.ts';
import { leaveNothing } from '../../helpers/leak-check.ts';
import { startProxyNode, WAYS } from '../../helpers/proxy-node.ts';

/** Asks over HTTP from inside a network namespace; resolves to status, headers in lower case, and body. */
function get(netns: NetworkNamespace, host: string, port: number, path: string) {
  return new Promise<{ status: number; headers: string; body: string }>((resolve, reject) => {
    const socket = connectTcp(netns, { host, port });
    let text = '';
    socket.on('error', reject);
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.on('end', () => {
      const [head = '', body = ''] = text.split('\r\n\r\n');
      resolve({ status: Number(head.split(' ')[1]), headers: head.toLowerCase(), body });
    });
    socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
  });
}

describe.each(WAYS)('around the rules on %s', (way) => {
  leaveNothing();
  let stack = new AsyncDisposableStack();
  afterEach(async () => {
    await stack.disposeAsync();
    stack = new AsyncDisposableStack();
  });

  it('answers health and metrics on the node', async () => {
    const { lab, client, proxy } = await startProxyNode(stack, { way });
    client.put(resources.services, buildService());
    await proxy.synced;
    expect(await get(lab.node, '127.0.0.1', 10_256, '/healthz')).toMatchObject({
      status: 200,
      body: expect.stringContaining('"nodeEligible":true'),
    });
    expect(await get(lab.node, '172.18.0.2', 10_256, '/livez')).toMatchObject({ status: 200 });
    expect(await get(lab.node, '::1', 10_256, '/livez')).toMatchObject({ status: 200 });
    expect(await get(lab.node, '127.0.0.1', 10_256, '/other')).toMatchObject({ status: 404 });
    const mode = way === 'nftables' ? 'nftables' : 'iptables';
    expect(await get(lab.node, '127.0.0.1', 10_249, '/proxyMode')).toMatchObject({ status: 200, body: mode });
    const { body } = await get(lab.node, '127.0.0.1', 10_249, '/metrics');
    expect(body).toContain('kubeproxy_sync_proxy_rules_duration_seconds_count{ip_family="IPv4"}');
    expect(body).toContain('kubeproxy_proxy_healthz_total{code="200"} 1');
  });

  it('opens a health check port for a Service with externalTrafficPolicy Local, reachable from outside', async () => {
    const { lab, client, proxy } = await startProxyNode(stack, { way });
    await proxy.synced;
    const spec = { externalTrafficPolicy: 'Local', healthCheckNodePort: 31_500 };
    client.put(resources.services, buildService({ type: 'LoadBalancer', spec }));
    const check = () => get(lab.node, '172.18.0.2', 31_500, '/').catch((error: unknown) => String(error));
    await expect.poll(check).toMatchObject({ status: 503 });
    client.put(resources.endpointSlices, buildEndpointSlice({ endpoints: [buildEndpoint()] }));
    await expect.poll(check).toMatchObject({
      status: 200,
      headers: expect.stringContaining('x-load-balancing-endpoint-weight: 1'),
    });
    client.remove(resources.services, 'default/web');
    await expect.poll(check).toContain('ECONNREFUSED');
  });

  it('ends UDP flows to an endpoint that is gone, and leaves the others', async () => {
    const { lab, client, proxy, problems } = await startProxyNode(stack, { way });
    const ports = [{ port: 53, protocol: 'UDP', targetPort: 8080 }];
    const slice = (...ips: readonly string[]) =>
      buildEndpointSlice({
        ports: [{ name: '', port: 8080, protocol: 'UDP' }],
        endpoints: ips.map((ip) => buildEndpoint({ ip })),
      });
    client.put(resources.services, buildService({ ports }));
    client.put(resources.endpointSlices, slice('10.244.0.2', '10.244.0.3'));
    await proxy.synced;
    const ask = () =>
      lab.send({ from: 'pod', source: '10.244.0.9', protocol: 'udp', destination: '10.96.0.10', port: 53 });
    await expect.poll(ask).toMatchObject({ kind: 'answered' });
    for (let i = 0; i < 12; i++) await ask();
    const conntrack = createConntrackRunner(lab.node);
    const backendsOf = async () => new Set((await conntrack.list('ipv4', 'udp')).map(({ reply }) => reply.source));
    expect(await backendsOf()).toEqual(new Set(['10.244.0.2', '10.244.0.3']));
    client.put(resources.endpointSlices, slice('10.244.0.3'));
    await expect.poll(backendsOf).toEqual(new Set(['10.244.0.3']));
    expect(problems).toEqual([]);
  });
});
