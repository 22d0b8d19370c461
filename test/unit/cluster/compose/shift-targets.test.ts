import { expect, it } from 'vitest';
import { shiftTargets } from '../../../../src/cluster/compose/shift-targets.ts';
import type { Listener } from '../../../../src/proxy/userspace/listener.ts';
import type { NodeSockets } from '../../../../src/proxy/userspace/transport.ts';
import { FakeTransport } from '../../../helpers/fake-transport.ts';

it('reaches endpoints at other ports, when a listener opens and when its endpoints change', () => {
  const inner = new FakeTransport();
  const transport = shiftTargets(inner, ({ host, port }) => (host === '127.64.0.2' ? port + 10_000 : port));
  const policy = {
    targets: [{ ip: '127.64.0.2', port: 80, address: '127.64.0.2:80' }],
    balancing: 'random',
    affinitySeconds: 0,
    proxyProtocol: false,
  } as const;
  const listener = { id: 'web', node: 'node-1', family: 'ipv4', protocol: 'tcp', policy } as unknown as Listener;
  const targets = () => inner.opened.get('web')?.listener.policy.targets.map(({ ip, port }) => `${ip}:${port}`);

  transport.open(listener, {} as NodeSockets, { host: '127.96.0.80', port: 80 });
  expect(targets()).toEqual(['127.64.0.2:10080']);
  transport.update('web', { ...policy, targets: [{ ip: '192.0.2.1', port: 80, address: '192.0.2.1:80' }] });
  expect(targets()).toEqual(['192.0.2.1:80']);
  transport.close('web');
  expect(inner.opened.size).toBe(0);
});
