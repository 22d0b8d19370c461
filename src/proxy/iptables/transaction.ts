import type { AppliedRules, PortChange } from './applied-rules.ts';
import type { AppliedPort } from './rendered-port.ts';
import type { DispatchEdit } from './shared-chains.ts';

/** Changes of AppliedRules that are taken back together when the kernel refuses them. */
export class Transaction {
  readonly #applied: AppliedRules;
  readonly #previous: [key: string, previous: AppliedPort | undefined][] = [];

  constructor(applied: AppliedRules) {
    this.#applied = applied;
  }

  /** Takes over a change and gives the edits of the shared chains that lead there. */
  apply(change: PortChange): DispatchEdit[] {
    this.#previous.push([change.key, change.previous]);
    return this.#applied.apply(change);
  }

  /** Takes everything back, the last change first. */
  undo(): void {
    for (const [key, previous] of this.#previous.reverse()) this.#applied.undo(key, previous);
  }
}
