import { joinHostPort } from '../../netfilter/address.ts';
import type { ServicePort } from './service-port.ts';

/** An address and port, or a node port, that two ServicePorts want. Keys are ServicePort keys. */
export interface FrontendConflict {
  /** `node port 30080/tcp`, `10.96.0.10:80/tcp`. */
  readonly frontend: string;
  /** The first by key: to its endpoints the packets go. */
  readonly winner: string;
  readonly loser: string;
}

/** Which ServicePorts of one family want which frontends. API servers give each out once; a proxy cannot count on it. */
export class FrontendClaims {
  readonly #claims = new Map<string, readonly string[]>();
  readonly #ports = new Map<string, readonly ServicePort[]>();

  /** Notes what a Service wants from now on; returns the conflicts that it is part of. */
  replace(service: string, ports: readonly ServicePort[]): readonly FrontendConflict[] {
    for (const port of this.#ports.get(service) ?? [])
      for (const frontend of frontendsOf(port)) this.#drop(frontend, port);
    if (ports.length === 0) this.#ports.delete(service);
    else this.#ports.set(service, ports);
    return ports.flatMap((port) => frontendsOf(port).flatMap((frontend) => this.#claim(frontend, port)));
  }

  #claim(frontend: string, { key }: ServicePort): readonly FrontendConflict[] {
    const others = this.#claims.get(frontend) ?? NOBODY;
    const all = others === NOBODY ? [key] : [...others, key].sort();
    this.#claims.set(frontend, all);
    const [winner = key] = all;
    return all
      .filter((loser) => loser !== winner && (loser === key || winner === key))
      .map((loser) => ({ frontend, winner, loser }));
  }

  #drop(frontend: string, { key }: ServicePort): void {
    const rest = (this.#claims.get(frontend) ?? NOBODY).filter((other) => other !== key);
    if (rest.length === 0) this.#claims.delete(frontend);
    else this.#claims.set(frontend, rest);
  }
}

const NOBODY: readonly string[] = [];

function frontendsOf({ clusterIP, externalIPs, loadBalancerVIPs, nodePort, port, protocol }: ServicePort): string[] {
  const addresses = new Set([clusterIP, ...externalIPs, ...loadBalancerVIPs]);
  const frontends = [...addresses].map((ip) => `${joinHostPort(ip, port)}/${protocol}`);
  return nodePort === 0 ? frontends : [...frontends, `node port ${nodePort}/${protocol}`];
}
