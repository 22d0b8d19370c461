import type { Family } from '../../netfilter/runner.ts';
import type { NodePortAddresses } from '../facts/node-network.ts';
import type { ServiceFacts } from '../facts/service-facts.ts';
import type { ServiceWarning } from '../service-events.ts';
import { type Listen, type PlainResponse, serveHttp } from './http-listener.ts';
import { countLocalReady, healthCheckPorts } from './local-ready.ts';
import { ServiceHealth } from './service-health.ts';

export interface ServiceChecksOptions {
  readonly facts: ServiceFacts;
  readonly families: readonly Family[];
  readonly nodeName: string;
  readonly warn: ServiceWarning;
  readonly isProxyHealthy: () => boolean;
  /** Node port addresses of each family, in the order of `families`. */
  readonly addresses: () => readonly (NodePortAddresses | undefined)[];
  readonly listen: Listen;
}

/** Keeps the health check ports of one node in step with the facts. */
export class ServiceChecks implements Disposable {
  readonly #options: ServiceChecksOptions;
  readonly #health: ServiceHealth;

  constructor(options: ServiceChecksOptions) {
    this.#options = options;
    this.#health = new ServiceHealth({
      open: (port, respond) => this.#open(port, respond),
      isProxyHealthy: options.isProxyHealthy,
      onFailure: (service, port, error) => this.#failed(service, port, error),
    });
  }

  /** Opens, closes and counts as the facts now say. */
  sync(): void {
    const { facts, families, nodeName } = this.#options;
    const ports = healthCheckPorts(facts, families);
    this.#health.syncServices(ports);
    // A pod of a dual-stack Service has an endpoint in both families and counts once.
    const count = (service: string): number =>
      Math.max(...families.map((family) => countLocalReady(facts, { family, service, nodeName })));
    this.#health.syncEndpoints(new Map([...ports.keys()].map((service) => [service, count(service)])));
  }

  [Symbol.dispose](): void {
    this.#health[Symbol.dispose]();
  }

  #open(port: number, respond: () => PlainResponse): Disposable {
    const servers = new DisposableStack();
    try {
      for (const host of this.#hosts()) servers.use(serveHttp(this.#options.listen({ host, port }), respond));
    } catch (error) {
      servers.dispose();
      throw error;
    }
    return servers;
  }

  #hosts(): string[] {
    const { addresses, families } = this.#options;
    return addresses().flatMap((selected, index) => {
      if (selected === undefined) return [];
      if (selected.kind === 'list') return selected.addresses;
      return [families[index] === 'ipv4' ? '0.0.0.0' : '::'];
    });
  }

  #failed(service: string, port: number, error: unknown): void {
    const { nodeName, warn } = this.#options;
    const why = error instanceof Error ? error.message : String(error);
    const message = `node ${nodeName} failed to start healthcheck ${JSON.stringify(service)} on port ${port}: ${why}`;
    warn(service, { reason: 'FailedToStartServiceHealthcheck', message });
  }
}
