import { setTimeout as pause } from 'node:timers/promises';

/** What settling is read from. */
export interface Revisioned {
  /** Rises with every write to the API. */
  revision(): number;
}

interface Settling {
  readonly health: { readonly isCurrent: boolean };
}

const QUIET_MS = 4;
const GIVE_UP_MS = 5_000;

/**
 * Resolves when nothing was written to the API for a few milliseconds and every proxy has its rules in the kernel. In a cluster
 * that never rests it resolves after five seconds: there is no moment to wait for then.
 */
export async function untilSettled(api: Revisioned, proxies: readonly Settling[]): Promise<void> {
  const deadline = performance.now() + GIVE_UP_MS;
  let before: number;
  do {
    before = api.revision();
    await pause(QUIET_MS);
  } while (
    (api.revision() !== before || !proxies.every(({ health }) => health.isCurrent)) &&
    performance.now() < deadline
  );
}
