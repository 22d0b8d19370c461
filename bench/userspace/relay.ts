// The relay under measurement, as a process of its own: prints its ports as JSON when it listens. Arguments: TCP endpoint, UDP endpoint.

import { nodeSockets } from '../../src/cluster/compose/node-sockets.ts';
import { NetworkNamespace } from '../../src/kernel/network-namespace.ts';
import { EngineTransport } from '../../src/proxy/userspace/engine/engine-transport.ts';
import { DEFAULT_LIMITS } from '../../src/proxy/userspace/transport.ts';

const sockets = nodeSockets(NetworkNamespace.current());
const transport = new EngineTransport({
  limits: DEFAULT_LIMITS,
  threads: 1,
  isLocal: true,
  onError: (error) => process.stderr.write(`${String(error)}\n`),
});
const ports = process.argv.slice(2).map((endpoint, index) => {
  const [protocol = 'tcp', port = '0'] = endpoint.split(':');
  const target = { ip: '127.0.0.1', port: Number(port), address: `127.0.0.1:${port}` };
  const { port: bound } = transport.open(
    {
      id: String(index),
      node: 'node-1',
      family: 'ipv4',
      protocol: protocol as 'tcp' | 'udp',
      key: String(index),
      service: `bench/${index}`,
      destination: { host: '127.0.0.1', port: Number(port) },
      policy: { targets: [target], balancing: 'round-robin', affinitySeconds: 0, proxyProtocol: false },
    },
    sockets,
    { host: '127.0.0.1', port: 0 },
  );
  return bound;
});
process.stdout.write(`${JSON.stringify(ports)}\n`);
setInterval(() => {}, 1 << 30);
