import { performance } from 'node:perf_hooks';
import type { Directive } from '../corefile/parse-corefile.ts';
import { readArguments, readDuration, readListenAddress, readOptions } from '../corefile/read-options.ts';
import { once } from './once.ts';
import type { HttpPage, Plugin, PluginEnvironment } from './plugin.ts';

const BOUNDS = [0.00025, 0.0025, 0.025, 0.25, 2.5];
const POLL_INTERVAL = 1000;
const TIMEOUT = 3000;

/** health: `/health` says OK for as long as the server lives, and on option some time longer (lameduck). */
export function healthPlugin(directives: readonly Directive[], environment: PluginEnvironment): readonly Plugin[] {
  const directive = once(directives);
  readArguments(directive, 0, 1);
  const [token] = directive.args;
  const listen = token === undefined ? { address: '', port: 8080 } : readListenAddress(token);
  let lameduck = 0;
  readOptions(directive, {
    lameduck: (line) => {
      readArguments(line, 1, 1);
      lameduck = readDuration(line.args[0]!);
    },
  });
  return [new HealthPlugin(listen, lameduck, environment)];
}

class HealthPlugin implements Plugin {
  readonly name = 'health';
  readonly lameduck: number;
  readonly pages: readonly HttpPage[];
  readonly #environment: PluginEnvironment;
  readonly #listen: { readonly address: string; readonly port: number };
  #timer: Disposable | undefined;

  constructor(
    listen: { readonly address: string; readonly port: number },
    lameduck: number,
    environment: PluginEnvironment,
  ) {
    this.#environment = environment;
    this.#listen = listen;
    this.lameduck = lameduck;
    this.pages = [{ ...listen, path: '/health', render: () => ({ status: 200, body: 'OK', type: 'text/plain' }) }];
  }

  // As CoreDNS: the server asks itself each second, so that its metrics show when it is overloaded.
  readonly onListening = (): void => {
    const { metrics } = this.#environment;
    metrics.histogram(
      'coredns_health_request_duration_seconds',
      'Histogram of the time (in seconds) each request took.',
      { bounds: BOUNDS },
    );
    metrics.counter('coredns_health_request_failures_total', 'The number of times the health check failed.');
    if (this.#listen.port !== 0) this.#poll();
  };

  readonly stop = async (): Promise<void> => this.#timer?.[Symbol.dispose]();

  #poll(): void {
    this.#timer = this.#environment.clock.schedule(POLL_INTERVAL, () => {
      this.#poll();
      this.#askSelf();
    });
  }

  #askSelf(): void {
    const { metrics, network, clock } = this.#environment;
    const startedAt = performance.now();
    const { address, port } = this.#listen;
    const socket = network.connectTcp(address === '' ? '127.0.0.1' : address, port);
    const timeout = clock.schedule(TIMEOUT, () => socket.destroy(new Error('timed out')));
    socket.on('error', () => {
      metrics.counter('coredns_health_request_failures_total', '').with().value++;
    });
    socket.once('data', () => {
      const seconds = (performance.now() - startedAt) / 1000;
      metrics.histogram('coredns_health_request_duration_seconds', '', { bounds: BOUNDS }).with().observe(seconds);
      socket.destroy();
    });
    socket.on('close', () => timeout[Symbol.dispose]());
    socket.write('GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  }
}
