import { setTimeout as pause } from 'node:timers/promises';

/** What settling is read from. */
export interface Revisioned {
  /** Rises with every write to the API. */
  revision(): number;
}

/** Who follows what is written, and writes on. */
export interface Followers {
  readonly controllers: { readonly isIdle: boolean };
  readonly proxies: readonly { readonly health: { readonly isCurrent: boolean } }[];
}

const QUIET_MS = 4;
const GIVE_UP_MS = 5_000;

/**
 * Resolves when nothing was written to the API for a few milliseconds, no controller has put off work and every proxy has its
 * rules in the kernel. In a cluster that never rests it resolves after five seconds: there is no moment to wait for then.
 */
export async function untilSettled(api: Revisioned, { controllers, proxies }: Followers): Promise<void> {
  const isWorking = (): boolean => !controllers.isIdle || !proxies.every(({ health }) => health.isCurrent);
  const deadline = performance.now() + GIVE_UP_MS;
  let before: number;
  do {
    before = api.revision();
    await pause(QUIET_MS);
  } while ((api.revision() !== before || isWorking()) && performance.now() < deadline);
}
