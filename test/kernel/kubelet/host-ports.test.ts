import { beforeAll, describe, expect, test } from 'vitest';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { createIptablesRunner } from '../../../src/kernel/runners/iptables-runner.ts';
import { createKubeletLab } from '../../helpers/kubelet-lab.ts';

beforeAll(() => void NetworkNamespace.current());

const serve = (podName: string, port: object) => ({
  podName,
  args: ['netexec', '--http-port=8080', '--udp-port=8080'],
  ports: [{ containerPort: 8080, ...port }],
});

describe('host ports', () => {
  test('lead from every address of the node to the pod, from outside, other pods, the node and the pod itself', async () => {
    await using lab = await createKubeletLab({ nodes: 2 });
    const pod = await lab.run(serve('web', { hostPort: 8000 }));
    const caller = await lab.run({ image: 'busybox', node: 'node-2' });
    const path = '/hostname';
    for (const host of ['172.18.0.2', 'fc00:f853:ccd:e793::2']) {
      const to = { host, port: 8000, path };
      expect(await lab.fetch(lab.network.client.netns, to)).toEqual({ status: 200, body: 'web' });
      expect(await lab.fetch(lab.network.nodes[1]!.netns, to)).toEqual({ status: 200, body: 'web' });
      expect(await lab.fetch(lab.network.nodes[0]!.netns, to)).toEqual({ status: 200, body: 'web' });
    }
    expect((await lab.exec(caller, ['curl', '-s', 'http://172.18.0.2:8000/hostname'])).stdout).toBe('web');
    expect((await lab.exec(pod, ['curl', '-s', 'http://172.18.0.2:8000/hostname'])).stdout).toBe('web');
    const local = { host: '127.0.0.1', port: 8000, path };
    expect(await lab.fetch(lab.network.nodes[0]!.netns, local)).toEqual({ status: 200, body: 'web' });
    const seen = await lab.fetch(lab.network.client.netns, { host: '172.18.0.2', port: 8000, path: '/clientip' });
    expect(seen.body).toMatch(/^172\.18\.255\.1:/);
  });

  test('of one number but another address or protocol get their own traffic (N14)', async () => {
    await using lab = await createKubeletLab();
    await lab.run(serve('loopback', { hostPort: 8000, hostIP: '127.0.0.1' }));
    await lab.run(serve('address', { hostPort: 8000, hostIP: '172.18.0.2' }));
    await lab.run(serve('udp', { hostPort: 8000, hostIP: '172.18.0.2', protocol: 'UDP' }));
    const from = lab.network.nodes[0]!.netns;
    const http = async (host: string) => (await lab.fetch(from, { host, port: 8000, path: '/hostname' })).body;
    expect(await http('127.0.0.1')).toBe('loopback');
    expect(await http('172.18.0.2')).toBe('address');
    expect(await lab.askUdp(from, { host: '172.18.0.2', port: 8000, payload: 'hostname' })).toBe('udp');
  });

  test('are closed with the pod, and the chain is gone', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.run(serve('web', { hostPort: 8000 }));
    await lab.delete(pod);
    await lab.untilGone(pod);
    const refused = lab.fetch(lab.network.client.netns, { host: '172.18.0.2', port: 8000 });
    await expect(refused).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    const rules = await createIptablesRunner(lab.network.nodes[0]!.netns, { backend: 'auto' }).save('ipv4', 'nat');
    expect(rules).not.toContain('CNI-DN-');
    expect(rules.match(/-j CNI-HOSTPORT-DNAT/g)).toHaveLength(2);
  });

  test('of a UDP pod lead a client that keeps its port to the next pod', async () => {
    await using lab = await createKubeletLab();
    const { createSocket } = await import('node:dgram');
    const { bindUdp } = await import('../../../src/kernel/sockets.ts');
    const socket = createSocket('udp4');
    socket.bind({ fd: bindUdp(lab.network.client.netns, { host: '0.0.0.0', port: 0 }) });
    const ask = () =>
      new Promise<string>((resolve) => {
        socket.once('message', (data) => resolve(data.toString()));
        socket.send('hostname', 8000, '172.18.0.2');
      });
    for (const name of ['first', 'second']) {
      const pod = await lab.run(serve(name, { hostPort: 8000, protocol: 'UDP' }));
      expect(await ask()).toBe(name);
      await lab.delete(pod);
      await lab.untilGone(pod);
    }
    socket.close();
  });
});
