/**
 * Does things when all that one turn of the event loop has brought is read: answers that are written one behind the other wake
 * their reader once, and waking it costs more than writing.
 */
export class TurnEnd {
  #tasks: (() => void)[] = [];

  /** Does `task` in this turn, behind what was added before. It must not throw. */
  add(task: () => void): void {
    if (this.#tasks.push(task) === 1) setImmediate(this.#run);
  }

  readonly #run = (): void => {
    const tasks = this.#tasks;
    this.#tasks = [];
    for (const task of tasks) task();
  };
}
