import type { TowtankError } from '../../src/errors/towtank-error.ts';
import type { Store, StoreEvent, StoreWatch } from '../../src/store/store.ts';

/** A watch whose events a test takes when it wants them. */
export interface RecordedWatch extends StoreWatch {
  readonly events: readonly StoreEvent[];
  /** How the events came: one entry for each call. */
  readonly batches: readonly (readonly StoreEvent[])[];
  readonly ended: Promise<TowtankError | undefined>;
  /** Resolves as soon as there are `count` events in all. */
  until(count: number): Promise<readonly StoreEvent[]>;
}

/** Watches `prefix` and records what comes. */
export function recordWatch(store: Store, prefix: string, afterRevision?: number): RecordedWatch {
  const events: StoreEvent[] = [];
  const batches: (readonly StoreEvent[])[] = [];
  const waiting: { readonly count: number; readonly resolve: (events: readonly StoreEvent[]) => void }[] = [];
  const ended = Promise.withResolvers<TowtankError | undefined>();
  const watch = store.watch({
    prefix,
    afterRevision,
    onEvents: (arrived) => {
      batches.push(arrived);
      events.push(...arrived);
      for (const { count, resolve } of waiting) if (events.length >= count) resolve(events);
    },
    onEnd: ended.resolve,
  });
  return {
    events,
    batches,
    ended: ended.promise,
    until: (count) =>
      new Promise((resolve) => {
        if (events.length >= count) resolve(events);
        else waiting.push({ count, resolve });
      }),
    close: () => watch.close(),
    [Symbol.dispose]: () => watch.close(),
  };
}

/** `put a@3=one` or `delete a@4`: an event in a form that reads well in a claim. */
export function describeEvent(event: StoreEvent): string {
  return event.current === undefined
    ? `delete ${event.key}`
    : `${event.previous === undefined ? 'create' : 'update'} ${event.key}=${event.current.value.toString()}`;
}
