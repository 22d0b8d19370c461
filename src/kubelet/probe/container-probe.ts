import type { Clock } from '../../kube/clock.ts';
import type { Probe } from '../../kube/generated/types.ts';
import type { ProbeKind, ProbeOutcome } from './probe-outcome.ts';

export interface ContainerProbeOptions {
  readonly kind: ProbeKind;
  readonly spec: Probe;
  readonly clock: Clock;
  /** Runs the probe once; `signal` aborts when timeoutSeconds have passed. Never rejects. */
  readonly run: (signal: AbortSignal) => Promise<ProbeOutcome>;
  /** Told of every run that did not succeed: becomes an Unhealthy event. */
  readonly onFailure: (kind: ProbeKind, outcome: Exclude<ProbeOutcome, { result: 'success' }>) => void;
  /** Told when enough runs in a row agree (successThreshold, failureThreshold), and only when the verdict changes. */
  readonly onVerdict: (kind: ProbeKind, isSuccess: boolean) => void;
}

const FIRST_EXTRA_LOOK_MS = 10;

/**
 * One probe of one run of a container: first after initialDelaySeconds, then every periodSeconds, until it is disposed. A
 * readiness or startup probe that fails at first looks again in between, sooner first and later then, for one period: only a
 * success of these extra looks counts. A server that needs some milliseconds to listen does not wait a whole period for it.
 */
export class ContainerProbe implements Disposable {
  readonly #options: ContainerProbeOptions;
  #timer: Disposable | undefined;
  #abort: AbortController | undefined;
  #last: 'success' | 'failure' | undefined;
  #runs = 0;
  #verdict: boolean | undefined;
  #stopped = false;
  #extraLook = FIRST_EXTRA_LOOK_MS;

  constructor(options: ContainerProbeOptions) {
    this.#options = options;
  }

  /** Starts probing; `ranMs` is how long the container has been running. */
  start(ranMs = 0): void {
    const delay = (this.#options.spec.initialDelaySeconds ?? 0) * 1000 - ranMs;
    if (delay <= 0) void this.#probe();
    else this.#wait(delay);
  }

  [Symbol.dispose](): void {
    this.#stopped = true;
    this.#timer?.[Symbol.dispose]();
    this.#abort?.abort();
  }

  async #probe(): Promise<void> {
    const { clock, run, spec } = this.#options;
    const began = clock.now();
    const abort = new AbortController();
    this.#abort = abort;
    const timeout = clock.schedule((spec.timeoutSeconds ?? 1) * 1000, () => abort.abort());
    const outcome = await run(abort.signal);
    timeout[Symbol.dispose]();
    if (this.#stopped) return;
    this.#judge(outcome);
    if (this.#stopped) return;
    this.#next(began + (spec.periodSeconds ?? 10) * 1000);
  }

  #next(at: number): void {
    const { clock, kind } = this.#options;
    const now = clock.now();
    const pause = this.#extraLook;
    if (kind === 'liveness' || this.#last === 'success' || this.#verdict !== undefined || now + pause >= at) {
      this.#extraLook = Number.POSITIVE_INFINITY;
      this.#wait(Math.max(0, at - now));
      return;
    }
    this.#extraLook *= 2;
    this.#timer = clock.schedule(pause, () => void this.#lookAgain(at));
  }

  async #lookAgain(at: number): Promise<void> {
    const abort = new AbortController();
    this.#abort = abort;
    using _timeout = this.#options.clock.schedule(Math.max(1, at - this.#options.clock.now()), () => abort.abort());
    const outcome = await this.#options.run(abort.signal);
    if (this.#stopped) return;
    if (outcome.result === 'success') this.#judge(outcome);
    if (!this.#stopped) this.#next(at);
  }

  #wait(ms: number): void {
    this.#timer = this.#options.clock.schedule(ms, () => void this.#probe());
  }

  #judge(outcome: ProbeOutcome): void {
    const { kind, spec, onFailure, onVerdict } = this.#options;
    if (outcome.result !== 'success') onFailure(kind, outcome);
    if (outcome.result === 'error') return;
    this.#runs = outcome.result === this.#last ? this.#runs + 1 : 1;
    this.#last = outcome.result;
    const isSuccess = outcome.result === 'success';
    const needed = isSuccess ? (spec.successThreshold ?? 1) : (spec.failureThreshold ?? 3);
    if (this.#runs < needed || this.#verdict === isSuccess) return;
    this.#verdict = isSuccess;
    // A container that failed its liveness or startup probe is about to be stopped, one that started needs no more asking.
    if (kind === 'startup' || (kind === 'liveness' && !isSuccess)) this[Symbol.dispose]();
    onVerdict(kind, isSuccess);
  }
}
