import type { Engine, Timed } from './engine.ts';
import type { Pipe } from './pipe.ts';

const TICK_MS = 1;
const PAUSE_MS = 8;

/**
 * The transfers of one thread that are told only of much at once. The kernel says nothing of the rest, an end aside: who has not
 * moved for a millisecond looks by itself.
 */
export class Gathering {
  readonly #engine: Engine;
  readonly #all = new Set<Pipe>();
  readonly #timer: Timed = { onTime: (now) => this.#look(now) };

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  add(pipe: Pipe): void {
    if (this.#all.size === 0) this.#engine.schedule(this.#timer, TICK_MS);
    this.#all.add(pipe);
  }

  delete(pipe: Pipe): void {
    this.#all.delete(pipe);
  }

  #look(now: number): number | undefined {
    for (const pipe of this.#all) {
      const idle = now - pipe.cameAt;
      if (idle > PAUSE_MS) pipe.stopGathering();
      else if (idle >= TICK_MS) pipe.look();
    }
    return this.#all.size === 0 ? undefined : TICK_MS;
  }
}
