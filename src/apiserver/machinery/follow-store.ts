import type { Store, StoreWatch } from '../../store/store.ts';

/**
 * Tells of every change below a prefix from now on; `everything` when the store was restored from a snapshot and anything
 * may have changed.
 */
export function followStore(
  store: Store,
  prefix: string,
  onChange: (keys: readonly string[] | 'everything') => void,
): Disposable {
  let closed = false;
  let watch: StoreWatch;
  const follow = (): void => {
    watch = store.watch({
      prefix,
      onEvents: (events) => onChange(events.map(({ key }) => key)),
      onEnd: (cause) => {
        if (closed || cause?.code !== 'ERR_STORE_COMPACTED') return;
        follow();
        onChange('everything');
      },
    });
  };
  follow();
  return {
    [Symbol.dispose]: () => {
      closed = true;
      watch.close();
    },
  };
}
