import type { Clock } from '../../kube/clock.ts';
import type { Probe } from '../../kube/generated/types.ts';
import { ContainerProbe } from './container-probe.ts';
import type { ProbeKind, ProbeOutcome } from './probe-outcome.ts';

export interface ContainerProbesOptions {
  readonly clock: Clock;
  readonly startupProbe?: Probe | undefined;
  readonly livenessProbe?: Probe | undefined;
  readonly readinessProbe?: Probe | undefined;
  readonly run: (probe: Probe, signal: AbortSignal) => Promise<ProbeOutcome>;
  /** Becomes an Unhealthy event: `Readiness probe failed: ...`. */
  readonly onUnhealthy: (message: string) => void;
  /** Told when started or ready may have changed. */
  readonly onChange: () => void;
  /** The container failed its startup or liveness probe and is to be stopped. */
  readonly onMustStop: (kind: 'startup' | 'liveness') => void;
}

/** All probes of one run of a container: the startup probe first, the others once it has succeeded. */
export class ContainerProbes implements Disposable {
  readonly #options: ContainerProbesOptions;
  readonly #began: number;
  readonly #probes = new Map<ProbeKind, ContainerProbe>();
  started: boolean;
  ready = false;

  constructor(options: ContainerProbesOptions) {
    this.#options = options;
    this.#began = options.clock.now();
    this.started = options.startupProbe === undefined;
    if (options.startupProbe) this.#start('startup', options.startupProbe);
    else this.#startOthers();
  }

  /** During termination only readiness is still asked for. */
  stopLivenessAndStartup(): void {
    this.#probes.get('startup')?.[Symbol.dispose]();
    this.#probes.get('liveness')?.[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    for (const probe of this.#probes.values()) probe[Symbol.dispose]();
  }

  #startOthers(): void {
    const { livenessProbe, readinessProbe } = this.#options;
    this.ready = readinessProbe === undefined;
    if (livenessProbe) this.#start('liveness', livenessProbe);
    if (readinessProbe) this.#start('readiness', readinessProbe);
  }

  #start(kind: ProbeKind, spec: Probe): void {
    const { clock, run } = this.#options;
    const probe = new ContainerProbe({
      kind,
      spec,
      clock,
      run: (signal) => run(spec, signal),
      onFailure: (_kind, outcome) => this.#report(kind, outcome),
      onVerdict: (_kind, isSuccess) => this.#judge(kind, isSuccess),
    });
    this.#probes.set(kind, probe);
    probe.start(clock.now() - this.#began);
  }

  #report(kind: ProbeKind, outcome: Exclude<ProbeOutcome, { result: 'success' }>): void {
    const name = `${kind[0]?.toUpperCase()}${kind.slice(1)}`;
    const verb = outcome.result === 'failure' ? 'failed' : 'errored';
    this.#options.onUnhealthy(`${name} probe ${verb}: ${outcome.message}`);
  }

  #judge(kind: ProbeKind, isSuccess: boolean): void {
    if (kind === 'readiness') this.ready = isSuccess;
    else if (!isSuccess) this.#options.onMustStop(kind);
    else if (kind === 'startup') {
      this.started = true;
      this.#startOthers();
    }
    this.#options.onChange();
  }
}
