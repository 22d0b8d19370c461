import { once } from 'node:events';
import { type ServeDnsOptions, serveDns } from '../../dns/serve-dns.ts';
import { type DnsLog, printLogLine } from '../../dns/server/dns-log.ts';
import { systemClock } from '../compose/system-clock.ts';
import { giveBackMemory } from './give-back-memory.ts';

export interface ServeDnsHereOptions {
  /** A file of objects, or else an API server. */
  readonly file?: string | undefined;
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly corefile?: string | undefined;
  readonly address: string;
  readonly port: number;
  readonly clusterDomain: string;
}

const log: DnsLog = (level, line) => void process.stderr.write(`${printLogLine(level, line)}\n`);

/** Serves the zone of a file of objects or of an API server until SIGINT or SIGTERM; rejects when it cannot begin. */
export async function serveDnsHere(options: ServeDnsHereOptions): Promise<void> {
  const stopped = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  await using stack = new AsyncDisposableStack();
  // The clock's timers let a process end, and before it listens there may be nothing but them.
  const awake = setInterval(() => undefined, 1 << 30);
  stack.defer(() => clearInterval(awake));
  const { corefile, address, port, clusterDomain } = options;
  const server = stack.use(
    await serveDns({
      ...{ source: await openSource(options, stack), corefile, listen: { address, port }, clusterDomain },
      ...{ clock: systemClock, random: Math.random, log },
    }),
  );
  giveBackMemory();
  const what = options.file ?? `the API server of ${options.kubeconfig}`;
  for (const at of server.listening)
    process.stderr.write(`serving the objects of ${what} at ${at.address || '*'}:${at.port} (UDP and TCP)\n`);
  await Promise.race([stopped, server.failed]);
}

async function openSource(
  { file, kubeconfig = '', context }: ServeDnsHereOptions,
  stack: AsyncDisposableStack,
): Promise<ServeDnsOptions['source']> {
  if (file !== undefined) return { file };
  const { openKubeClient } = await import('./open-kube-client.ts');
  const onProblem = (error: unknown): void => log('warning', (error as Error).message);
  return { client: stack.use(openKubeClient({ kubeconfig, context, agent: 'towtank-dns', onProblem })) };
}
