import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { expect, it } from 'vitest';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { bindUdp, localPort, udpSocket } from '../../../src/kernel/sockets.ts';
import { serveUdp } from '../../../src/kubelet/images/serving/listen.ts';
import { leaveNothing } from '../../helpers/leak-check.ts';
import { sendFromPortZero } from '../../helpers/send-from-port-zero.ts';

leaveNothing();

it('a server of a pod answers others after a datagram from port 0, which nobody can be answered at', async () => {
  await using netns = NetworkNamespace.create('pod-1');
  const reserved = bindUdp(netns, { host: '127.0.0.1', port: 0 });
  const at = { host: '127.0.0.1', port: localPort(reserved) };
  closeSync(reserved);
  const heard: string[] = [];
  using _server = serveUdp(netns, at, ({ data, reply }) => {
    heard.push(String(data));
    reply(data);
  });
  sendFromPortZero(netns, at, 'nowhere');
  const client = await udpSocket(netns, { family: 'ipv4', host: '127.0.0.1' });
  client.send('here', at.port, at.host);
  expect(String((await once(client, 'message'))[0])).toBe('here');
  expect(heard).toEqual(['nowhere', 'here']);
  client.close();
});
