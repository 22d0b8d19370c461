import type { BuiltinContext, BuiltinExit, BuiltinProcess } from '../builtin-image.ts';

/** Exit code of a Go program that has no handler for the signal it gets as pid 1. */
export const goSignalExit = 2;

/** A built-in program's life: what it holds is let go when it exits, on its own or by a signal. */
export class BuiltinProgram implements BuiltinProcess {
  readonly #exited = Promise.withResolvers<BuiltinExit>();
  readonly #held: Disposable[] = [];
  readonly #onSignal: (signal: NodeJS.Signals) => void;
  #isOver = false;

  /** `onSignal` handles every signal but SIGKILL; the default exits as a Go program does. */
  constructor(onSignal?: (signal: NodeJS.Signals, program: BuiltinProgram) => void) {
    this.#onSignal = (signal) => (onSignal ? onSignal(signal, this) : this.exit(goSignalExit));
  }

  get exited(): Promise<BuiltinExit> {
    return this.#exited.promise;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Lets go of `resource` when the program exits: at once when it has exited already. */
  hold<T extends Disposable>(resource: T): T {
    if (this.#isOver) resource[Symbol.dispose]();
    else this.#held.push(resource);
    return resource;
  }

  /** Calls back after `ms`, unless the program has exited by then. */
  after(ms: number, { schedule }: Pick<BuiltinContext, 'schedule'>, callback: () => void): void {
    const timer = this.hold(
      schedule(ms, () => {
        this.#held.splice(this.#held.indexOf(timer), 1);
        callback();
      }),
    );
  }

  /** Ends the program; a second exit changes nothing. */
  exit(exitCode: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const resource of this.#held.splice(0).reverse()) resource[Symbol.dispose]();
    this.#exited.resolve({ exitCode });
  }

  stop(signal: NodeJS.Signals): void {
    if (this.#isOver) return;
    if (signal === 'SIGKILL') this.exit(137);
    else this.#onSignal(signal);
  }
}

/** A program that has done its work already. */
export function finished(exitCode: number): BuiltinProcess {
  return { exited: Promise.resolve({ exitCode }), stop: () => {} };
}
