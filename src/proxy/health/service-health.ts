import { type HealthResponse, serviceHealthResponse } from './health-responses.ts';

export interface ServiceHealthOptions {
  /** Opens a health check port; each request is answered with what `respond` gives. Throws when it cannot. */
  readonly open: (port: number, respond: () => HealthResponse) => Disposable;
  readonly isProxyHealthy: () => boolean;
  /** Told of a port that could not be opened; it is tried again with the next sync. */
  readonly onFailure: (service: string, port: number, error: unknown) => void;
}

interface Check {
  readonly port: number;
  readonly server: Disposable;
  localEndpoints: number;
}

/** The health check ports of Services with externalTrafficPolicy Local: one server for each, on every node. */
export class ServiceHealth implements Disposable {
  readonly #options: ServiceHealthOptions;
  readonly #checks = new Map<string, Check>();

  constructor(options: ServiceHealthOptions) {
    this.#options = options;
  }

  /** Opens and closes ports so that exactly these Services (`namespace/name`) have one. A changed port starts at 0. */
  syncServices(ports: ReadonlyMap<string, number>): void {
    for (const [service, check] of this.#checks) {
      if (ports.get(service) === check.port) continue;
      check.server[Symbol.dispose]();
      this.#checks.delete(service);
    }
    for (const [service, port] of ports) if (!this.#checks.has(service)) this.#open(service, port);
  }

  /** Sets the numbers of local ready endpoints; Services that are not named have none. */
  syncEndpoints(counts: ReadonlyMap<string, number>): void {
    for (const [service, check] of this.#checks) check.localEndpoints = counts.get(service) ?? 0;
  }

  /** The answer of one Service; undefined when it has no port. */
  respond(service: string): HealthResponse | undefined {
    const check = this.#checks.get(service);
    if (check === undefined) return undefined;
    const { localEndpoints } = check;
    return serviceHealthResponse(service, { localEndpoints, serviceProxyHealthy: this.#options.isProxyHealthy() });
  }

  /** Services and their open ports. */
  get ports(): ReadonlyMap<string, number> {
    return new Map([...this.#checks].map(([service, { port }]) => [service, port]));
  }

  [Symbol.dispose](): void {
    this.syncServices(new Map());
  }

  #open(service: string, port: number): void {
    try {
      const server = this.#options.open(port, () => this.respond(service)!);
      this.#checks.set(service, { port, server, localEndpoints: 0 });
    } catch (error) {
      this.#options.onFailure(service, port, error);
    }
  }
}
