import type { SelectedPort } from './facts/select-endpoints.ts';
import type { QuarantinedPort } from './proxy-backend.ts';

/** ServicePorts that the kernel refused; each stays out until something about it changes. */
export class Quarantine {
  readonly #ports = new Map<string, { readonly selected: SelectedPort | undefined; readonly cause: unknown }>();

  get isEmpty(): boolean {
    return this.#ports.size === 0;
  }

  add(key: string, selected: SelectedPort | undefined, cause: unknown): void {
    this.#ports.set(key, { selected, cause });
  }

  /** True when the ServicePort exists and is not held back. */
  admits(key: string, selected: SelectedPort | undefined): boolean {
    return selected !== undefined && this.#ports.get(key)?.selected !== selected;
  }

  /** The ServicePort, or undefined when it is held back; one that has changed is let go. */
  admitted(key: string, selected: SelectedPort | undefined): SelectedPort | undefined {
    if (!this.#ports.has(key)) return selected;
    if (selected !== undefined && !this.admits(key, selected)) return undefined;
    this.#ports.delete(key);
    return selected;
  }

  /** Lets go of what has changed or is gone. */
  forgetAllBut(ports: ReadonlyMap<string, SelectedPort>): void {
    for (const [key, { selected }] of this.#ports) if (ports.get(key) !== selected) this.#ports.delete(key);
  }

  list(): QuarantinedPort[] {
    return [...this.#ports].map(([key, { cause }]) => ({ key, cause }));
  }
}
