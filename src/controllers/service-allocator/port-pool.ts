import { type PortRange, pickPort, portRangeProblem } from '../../ipam/port-range.ts';
import type { Random } from '../../kube/clock.ts';
import { internalError } from './field-failure.ts';

export interface PortSource {
  readonly range: PortRange;
  readonly random: Random | undefined;
  /** False when another Service holds the port. */
  readonly isFree: (port: number) => boolean;
}

/** The ports that one write of a Service may take: without those of others, those it held before and those it took itself. */
export class PortPool {
  readonly #source: PortSource;
  readonly #unavailable: Set<number>;

  constructor(source: PortSource, held: ReadonlySet<number>) {
    this.#source = source;
    this.#unavailable = new Set(held);
  }

  /** Takes a certain port; returns why not, in the real server's words. */
  take(port: number): string | undefined {
    const problem = portRangeProblem(this.#source.range, port);
    if (problem !== undefined) return problem;
    if (!this.#isFree(port)) return 'provided port is already allocated';
    this.#unavailable.add(port);
    return undefined;
  }

  /** Takes any port; throws ApiStatusError InternalError when none is left. */
  next(failure: string): number {
    const isFree = (port: number): boolean => this.#isFree(port);
    const port = pickPort(this.#source.range, { isFree, random: this.#source.random });
    if (port === undefined) throw internalError(`${failure}: range is full`);
    this.#unavailable.add(port);
    return port;
  }

  #isFree(port: number): boolean {
    return !this.#unavailable.has(port) && this.#source.isFree(port);
  }
}
