import { DnsServer, type DnsServerOptions } from '../../src/dns/server/dns-server.ts';
import { ObjectZone } from '../../src/dns/zone/object-zone.ts';
import type { KubeObject } from '../../src/kube/resources.ts';
import { realClock } from './real-clock.ts';
import { seededRandom } from './seeded-random.ts';

/** Starts a server for a Corefile and objects on a free port of loopback; killed, not shut down, when disposed. */
export async function startTestServer(
  corefile: string,
  objects: readonly KubeObject[],
  options: Partial<DnsServerOptions> = {},
): Promise<{ readonly server: DnsServer; readonly zone: ObjectZone; readonly port: number } & AsyncDisposable> {
  const zone = new ObjectZone(options.clock ?? realClock, objects);
  const server = await DnsServer.start({
    corefile,
    zone,
    clock: realClock,
    random: seededRandom(1),
    log: () => undefined,
    ownAddresses: () => ['192.0.2.53'],
    readFile: async () => undefined,
    listen: { address: '127.0.0.1', port: 0 },
    ...options,
  });
  return { server, zone, port: server.listening[0]!.port, [Symbol.asyncDispose]: () => server.kill() };
}
