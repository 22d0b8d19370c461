// The userspace mode that kube-proxy had until 1.25, as one more peer: KUBE_PROXY_USERSPACE names such a program.
import { type ChildProcess, spawnSync } from 'node:child_process';
import { NetworkNamespace } from '../../src/kernel/network-namespace.ts';
import { listenTcp, localPort } from '../../src/kernel/sockets.ts';
import { resources } from '../../src/kube/resources.ts';
import { buildService } from '../../test/helpers/build-objects.ts';
import { FakeKubeClient } from '../../test/helpers/fake-kube-client.ts';
import { serveKubeClient } from '../../test/helpers/serve-kube-client.ts';
import { systemClock } from '../../test/helpers/system-clock.ts';
import { BACKEND, type Peer, PROXY_CORE, start } from './peers.ts';

export const KUBE_PROXY_USERSPACE = process.env['KUBE_PROXY_USERSPACE'];

// It does not serve on a loopback address.
const NODE_IP = '172.18.0.2';
const NAMES = ['http', 'bulk'] as const;

/** Starts it with a Service for each backend; resolves when its rules tell where it listens for them. Needs iptables. */
export async function startKubeProxyUserspace(program: string): Promise<Peer> {
  spawnSync('ip', ['address', 'add', `${NODE_IP}/32`, 'dev', 'lo']);
  const fd = listenTcp(NetworkNamespace.current(), { host: '127.0.0.1', port: 0 });
  serveKubeClient(await clientWithServices(), fd);
  const child = start(PROXY_CORE, [
    program,
    `--master=http://127.0.0.1:${localPort(fd)}`,
    '--kube-api-content-type=application/json',
    '--proxy-mode=userspace',
    `--bind-address=${NODE_IP}`,
    '--hostname-override=node-1',
    '--conntrack-max-per-core=0',
    '--conntrack-tcp-timeout-established=0',
    '--conntrack-tcp-timeout-close-wait=0',
  ]);
  const [http = 0, bulk = 0] = await untilListening(child);
  return { name: 'kube-proxy', pid: child.pid, host: NODE_IP, http, bulk, udp: undefined };
}

async function clientWithServices(): Promise<FakeKubeClient> {
  const client = new FakeKubeClient(systemClock);
  for (const [index, name] of NAMES.entries()) {
    const metadata = { name, namespace: 'default' };
    const ports = [{ name, port: 80, protocol: 'TCP' }];
    await client.create(resources.services, buildService({ name, clusterIP: `10.96.0.${index + 1}`, ports }));
    const subsets = [{ addresses: [{ ip: '127.0.0.1' }], ports: [{ name, port: BACKEND[name], protocol: 'TCP' }] }];
    await client.create(resources.endpoints, { apiVersion: 'v1', kind: 'Endpoints', metadata, subsets });
  }
  return client;
}

async function untilListening(child: ChildProcess): Promise<readonly number[]> {
  for (;;) {
    if (child.exitCode !== null) throw new Error('kube-proxy ended; it wants 64000 files to be allowed (ulimit -Hn)');
    const rules = spawnSync('iptables', ['-w', '-t', 'nat', '-S'], { encoding: 'utf8' }).stdout.split('\n');
    const ports = NAMES.map((name) => {
      const rule = rules.find((line) => line.includes(`"default/${name}:${name}"`)) ?? '';
      return Number(/(?:--to-ports |--to-destination \S+:)(\d+)/.exec(rule)?.[1] ?? 0);
    });
    if (!ports.includes(0)) return ports;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
