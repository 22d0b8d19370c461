import { createSocket, type Socket } from 'node:dgram';
import { beforeAll, describe, expect, test } from 'vitest';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { bindUdp } from '../../../src/kernel/sockets.ts';
import { createLab } from '../../helpers/kernel-lab.ts';

beforeAll(() => void NetworkNamespace.current());

const PODS = 30;

function listen(netns: NetworkNamespace, isV6: boolean, port: number): Socket {
  const socket = createSocket(isV6 ? 'udp6' : 'udp4');
  socket.bind({ fd: bindUdp(netns, { host: isV6 ? '::' : '0.0.0.0', port }) });
  return socket;
}

// One datagram each, as nobody repeats it: TCP would hide a lost one behind a second of waiting.
describe.each(['ptp', 'bridge'] as const)('pods attached by %s', (cni) => {
  test.each(['ipv4', 'ipv6'] as const)('get the first datagram that is sent to them over %s', async (family) => {
    await using lab = await createLab({ nodes: 1, podsPerNode: 0, cni });
    const node = lab.nodes[0]!;
    const isV6 = family === 'ipv6';
    const sender = listen(node.netns, isV6, 0);
    const answered = new Set<string>();
    const all = Promise.withResolvers<void>();
    sender.on('message', (data) => {
      answered.add(data.toString());
      if (answered.size === PODS) all.resolve();
    });
    const sockets: Socket[] = [];
    for (let i = 2; i < PODS + 2; i++) {
      const addresses = [`10.244.1.${i}`, `fd00:10:244:1::${i.toString(16)}`];
      const pod = node.network.attachPod({ name: `new-${i}`, addresses });
      const socket = listen(pod.netns, isV6, 53);
      socket.on('message', (_data, from) => socket.send(pod.name, from.port, from.address));
      sockets.push(socket);
      sender.send('first', 53, addresses[isV6 ? 1 : 0]!);
    }
    const late = new Promise<void>((resolve) => setTimeout(resolve, 5_000).unref());
    await Promise.race([all.promise, late]);
    for (const socket of [sender, ...sockets]) socket.close();
    expect(answered.size).toBe(PODS);
  });
});
