import type { Clock } from '../../kube/clock.ts';
import type { Store } from '../../store/store.ts';

/** As long as Kubernetes' own API server keeps history for watches to resume from and lists to be continued. */
const INTERVAL_MS = 300_000;

/** Forgets, every five minutes, what was superseded five minutes before; failures are told and tried again the next time. */
export function compactHistory(store: Store, clock: Clock, onError: (error: unknown) => void): Disposable {
  let timer: Disposable;
  const wait = (revision: number): void => {
    timer = clock.schedule(INTERVAL_MS, () => {
      wait(store.revision);
      store.compact(revision).catch(onError);
    });
  };
  wait(store.revision);
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
}
