import type { Family } from '../netfilter/runner.ts';
import { serviceOfKey } from './facts/service-port-name.ts';
import type { QuarantinedPort } from './proxy-backend.ts';
import type { ProxyLog } from './proxy-log.ts';
import type { ServiceWarning } from './service-events.ts';

export interface QuarantineReportsOptions {
  readonly warn: ServiceWarning;
  readonly nodeName: string;
  /** Undefined: an Event is all. */
  readonly log?: (entry: ProxyLog) => void;
  /** Of the Event; default FailedToWriteRules. */
  readonly reason?: string;
  /** What the node cannot do; default `write the rules`. */
  readonly failure?: string;
}

/** Tells once, as an Event at the Service and in the log, of each ServicePort whose rules the kernel refuses. */
export class QuarantineReports {
  readonly #options: QuarantineReportsOptions;
  readonly #told = new Map<Family, ReadonlySet<string>>();

  constructor(options: QuarantineReportsOptions) {
    this.#options = options;
  }

  /** What is in quarantine after a sync of this family. */
  report(family: Family, quarantined: readonly QuarantinedPort[]): void {
    const told = this.#told.get(family);
    for (const port of quarantined) if (told?.has(port.key) !== true) this.#tell(port);
    this.#told.set(family, new Set(quarantined.map(({ key }) => key)));
  }

  #tell({ key, cause }: QuarantinedPort): void {
    const { warn, nodeName, log, reason = 'FailedToWriteRules', failure = 'write the rules' } = this.#options;
    const why = cause instanceof Error ? cause.message : String(cause);
    const message = `node ${nodeName} cannot ${failure} of ${key}: ${why}`;
    warn(serviceOfKey(key), { reason, message });
    log?.({ level: 'error', message, error: cause });
  }
}
