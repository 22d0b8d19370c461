import type { Engine, Timed } from './engine.ts';

/** A transfer whose wake-ups are gathered. */
export interface Gatherer {
  /** Millisecond in which something last came. */
  get cameAt(): number;
  /** Moves what is there, though it be less than is waited for. */
  look(): void;
  /** Goes on as an ordinary transfer. */
  stopGathering(): void;
}

const TICK_MS = 1;
const PAUSE_MS = 8;

/**
 * The transfers of one thread that are told only of much at once. The kernel says nothing of the rest, an end aside: who has not
 * moved for a millisecond looks by itself.
 */
export class Gathering {
  readonly #engine: Engine;
  readonly #all = new Set<Gatherer>();
  readonly #timer: Timed = { onTime: (now) => this.#look(now) };

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  add(gatherer: Gatherer): void {
    if (this.#all.size === 0) this.#engine.schedule(this.#timer, TICK_MS);
    this.#all.add(gatherer);
  }

  delete(gatherer: Gatherer): void {
    this.#all.delete(gatherer);
  }

  #look(now: number): number | undefined {
    for (const gatherer of this.#all) {
      const idle = now - gatherer.cameAt;
      if (idle > PAUSE_MS) gatherer.stopGathering();
      else if (idle >= TICK_MS) gatherer.look();
    }
    return this.#all.size === 0 ? undefined : TICK_MS;
  }
}
