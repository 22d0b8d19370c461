import { EvaluationError } from './values.ts';

/** What evaluation may still cost, in steps; about the units in which upstream counts. */
export class Meter {
  #left: number;

  constructor(budget: number) {
    this.#left = budget;
  }

  /** Below 0 when the budget is used up. */
  get left(): number {
    return this.#left;
  }

  /** Throws CostExceeded. */
  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw new CostExceeded('operation cancelled: actual cost limit exceeded');
  }
}

/** A rule that costs too much; nothing in it catches this. */
export class CostExceeded extends EvaluationError {}
