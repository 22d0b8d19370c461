import { once } from 'node:events';
import { serveDns } from '../../dns/serve-dns.ts';
import { printLogLine } from '../../dns/server/dns-log.ts';
import { systemClock } from '../compose/system-clock.ts';

export interface ServeDnsFileOptions {
  readonly file: string;
  readonly corefile?: string | undefined;
  readonly address: string;
  readonly port: number;
  readonly clusterDomain: string;
}

/** Serves the zone of a file of objects until SIGINT or SIGTERM; rejects when it cannot begin. */
export async function serveDnsFile({
  file,
  corefile,
  address,
  port,
  clusterDomain,
}: ServeDnsFileOptions): Promise<void> {
  await using server = await serveDns({
    source: { file },
    corefile,
    listen: { address, port },
    clock: systemClock,
    random: Math.random,
    log: (level, line) => process.stderr.write(`${printLogLine(level, line)}\n`),
    clusterDomain,
  });
  for (const at of server.listening)
    process.stderr.write(`serving the objects of ${file} at ${at.address || '*'}:${at.port} (UDP and TCP)\n`);
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM'), server.failed]);
}
