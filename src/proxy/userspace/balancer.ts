import type { Random } from '../../kube/clock.ts';
import type { Balancing } from '../facts/service-port.ts';
import { ClientAffinity, type ClientKey } from './client-affinity.ts';
import type { ListenerPolicy, Target } from './listener.ts';

/** An endpoint as a balancer sees it. */
export interface Candidate extends Omit<Target, 'asClient' | 'neighbours'> {
  /** Connections that are open to it through this listener. */
  active: number;
  /** False once the endpoint left the list. */
  present: boolean;
  /** The address as the kernel takes it, once it was needed. */
  encoded?: Uint8Array;
  asClient?: boolean;
  neighbours?: string | undefined;
}

export interface BalancerOptions {
  readonly random: Random;
  /** One number that counts the connections of a listener, shared by all threads that serve it. */
  readonly turn: Int32Array;
}

/** A turn that starts with the first endpoint. */
export function createTurn(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
}

/** Chooses an endpoint for each new connection of one listener. */
export class Balancer {
  readonly #options: BalancerOptions;
  readonly #affinity = new ClientAffinity<Candidate>();
  #candidates: readonly Candidate[] = [];
  #balancing: Balancing = 'random';
  #affinityMs = 0;

  constructor(options: BalancerOptions, policy: ListenerPolicy) {
    this.#options = options;
    this.setPolicy(policy);
  }

  /** True when a choice depends on the client. */
  get needsClient(): boolean {
    return this.#affinityMs > 0;
  }

  get candidates(): readonly Candidate[] {
    return this.#candidates;
  }

  /** Takes new endpoints over; those that stay keep their connections and their clients. */
  setPolicy({ targets, balancing, affinitySeconds }: ListenerPolicy): void {
    const known = new Map(this.#candidates.map((candidate) => [candidate.address, candidate]));
    this.#candidates = targets.map(({ ip, port, address, asClient = false, neighbours }) => {
      const candidate = known.get(address) ?? { ip, port, address, active: 0, present: true };
      candidate.asClient = asClient;
      candidate.neighbours = neighbours;
      return candidate;
    });
    const kept = new Set(this.#candidates);
    for (const candidate of known.values()) candidate.present = kept.has(candidate);
    this.#balancing = balancing;
    this.#affinityMs = affinitySeconds * 1000;
    if (affinitySeconds === 0) this.#affinity.clear();
  }

  /** The endpoint for a new connection; undefined when there is none. */
  pick(client: ClientKey, now: number): Candidate | undefined {
    if (this.#affinityMs === 0) return this.#choose();
    const chosen = this.#affinity.find(client, now, ({ present }) => present) ?? this.#choose();
    if (chosen !== undefined) this.#remember(client, chosen, now);
    return chosen;
  }

  /** The endpoint to try after `failed` ones did not answer; undefined when all have been tried. */
  pickNext(client: ClientKey, failed: readonly Candidate[], now: number): Candidate | undefined {
    const last = failed.at(-1);
    const after = last === undefined ? 0 : this.#candidates.indexOf(last) + 1;
    const { length } = this.#candidates;
    for (let step = 0; step < length; step++) {
      const candidate = this.#candidates[(after + step) % length]!;
      if (failed.includes(candidate)) continue;
      if (this.#affinityMs > 0) this.#remember(client, candidate, now);
      return candidate;
    }
    if (this.#affinityMs > 0) this.#affinity.forget(client);
    return undefined;
  }

  /** The clients with session affinity, the endpoint of each and for how many milliseconds more. */
  *clients(now: number): Iterable<readonly [client: ClientKey, endpoint: string, forMs: number]> {
    for (const [client, { address, present }, expiresAt] of this.#affinity.entries(now))
      if (present) yield [client, address, expiresAt - now];
  }

  /** Knows a client that another balancer knew; one whose endpoint is not there any more is forgotten. */
  restore([client, endpoint, forMs]: readonly [ClientKey, string, number], now: number): void {
    const candidate = this.#candidates.find(({ address }) => address === endpoint);
    if (candidate === undefined || this.#affinityMs === 0) return;
    this.#affinity.remember(client, candidate, { now, expiresAt: now + Math.min(forMs, this.#affinityMs) });
  }

  #remember(client: ClientKey, candidate: Candidate, now: number): void {
    this.#affinity.remember(client, candidate, { now, expiresAt: now + this.#affinityMs });
  }

  #choose(): Candidate | undefined {
    const candidates = this.#candidates;
    if (candidates.length < 2) return candidates[0];
    switch (this.#balancing) {
      case 'random':
        return candidates[Math.floor(this.#options.random() * candidates.length)];
      case 'round-robin':
        return candidates[(Atomics.add(this.#options.turn, 0, 1) >>> 0) % candidates.length];
      case 'least-connections':
        return leastLoaded(candidates, Atomics.add(this.#options.turn, 0, 1) >>> 0);
    }
  }
}

// Among equals each gets its turn, so that short connections do not all meet at the first.
function leastLoaded(candidates: readonly Candidate[], turn: number): Candidate | undefined {
  const start = turn % candidates.length;
  let best = candidates[start]!;
  for (let step = 1; step < candidates.length && best.active > 0; step++) {
    const candidate = candidates[(start + step) % candidates.length]!;
    if (candidate.active < best.active) best = candidate;
  }
  return best;
}
