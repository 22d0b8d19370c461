import { afterEach, describe, expect, it } from 'vitest';
import { resources } from '../../../src/kube/resources.ts';
import { buildEndpoint, buildEndpointSlice, buildService } from '../../helpers/build-objects.ts';
import { startProxyNode, WAYS } from '../../helpers/proxy-node.ts';

const web = (type: string) =>
  buildService({
    type,
    ports: [{ port: 80, protocol: 'TCP', targetPort: 8080, ...(type === 'ClusterIP' ? {} : { nodePort: 30080 }) }],
    status: { loadBalancer: type === 'LoadBalancer' ? { ingress: [{ ip: '203.0.113.1' }] } : {} },
  });
const slice = (...ips: readonly string[]) =>
  buildEndpointSlice({
    ports: [{ name: '', port: 8080, protocol: 'TCP' }],
    endpoints: ips.map((ip) => buildEndpoint({ addresses: [ip], nodeName: 'node-1' })),
  });

describe.each(WAYS)('a proxy on %s', (way) => {
  let stack = new AsyncDisposableStack();
  afterEach(async () => {
    await stack.disposeAsync();
    stack = new AsyncDisposableStack();
  });

  it('leads cluster IP, node port and load balancer address to the endpoints, for every kind of sender', async () => {
    const { lab, client, proxy, problems } = await startProxyNode(stack, { way });
    client.put(resources.services, web('LoadBalancer'));
    client.put(resources.endpointSlices, slice('10.244.0.2', '10.244.0.3'));
    await proxy.synced;
    const senders = [
      { from: 'pod', source: '10.244.0.9' },
      { from: 'node', source: '172.18.0.2' },
      { from: 'external', source: '192.0.2.7' },
    ] as const;
    const targets = [
      { destination: '10.96.0.10', port: 80 },
      { destination: '172.18.0.2', port: 30080 },
      { destination: '203.0.113.1', port: 80 },
    ];
    for (const sender of senders) {
      for (const target of targets) {
        const outcome = await lab.send({ ...sender, ...target, protocol: 'tcp' });
        expect(outcome, `${sender.from} to ${target.destination}`).toMatchObject({ kind: 'answered' });
      }
    }
    expect(problems).toEqual([]);
  });

  it('keeps the client address of pods and masquerades node ports', async () => {
    const { lab, client, proxy } = await startProxyNode(stack, { way });
    client.put(resources.services, web('NodePort'));
    client.put(resources.endpointSlices, slice('10.244.0.2'));
    await proxy.synced;
    const pod = { from: 'pod', source: '10.244.0.9', protocol: 'tcp' } as const;
    expect(await lab.send({ ...pod, destination: '10.96.0.10', port: 80 })).toMatchObject({ seenSource: '10.244.0.9' });
    expect(await lab.send({ ...pod, destination: '172.18.0.2', port: 30080 })).toMatchObject({
      seenSource: expect.stringMatching(/^100\.64\./),
    });
  });

  it('follows an endpoint that appears, moves and goes', async () => {
    const { lab, client, proxy } = await startProxyNode(stack, { way });
    client.put(resources.services, web('ClusterIP'));
    await proxy.synced;
    const ask = () =>
      lab.send({ from: 'pod', source: '10.244.0.9', protocol: 'tcp', destination: '10.96.0.10', port: 80 });
    expect(await ask()).toMatchObject({ kind: 'refused', code: 'ECONNREFUSED' });
    client.put(resources.endpointSlices, slice('10.244.0.2'));
    await expect.poll(ask).toMatchObject({ backend: '10.244.0.2:8080' });
    client.put(resources.endpointSlices, slice('10.244.0.3'));
    await expect.poll(ask).toMatchObject({ backend: '10.244.0.3:8080' });
    client.put(resources.endpointSlices, slice());
    await expect.poll(ask).toMatchObject({ kind: 'refused', code: 'ECONNREFUSED' });
  });
});
