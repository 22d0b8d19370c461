import type { KeyValue, RangeOptions, RangeResult, Store, StoreWatch, WatchRequest } from './store.ts';
import type { StoreView } from './store-view.ts';

type Reads = Pick<Store, 'revision' | 'compactedRevision' | 'get' | 'range' | 'count' | 'watch'>;

/** What all engines have in common: they answer reads and watches from a view of their whole state in memory. */
export abstract class ViewReads implements Reads {
  protected readonly view: StoreView;

  protected constructor(view: StoreView) {
    this.view = view;
  }

  get revision(): number {
    return this.view.revision;
  }

  get compactedRevision(): number {
    return this.view.compactedRevision;
  }

  get(key: string): KeyValue | undefined {
    return this.view.get(key);
  }

  range(prefix: string, options?: RangeOptions): RangeResult {
    return this.view.range(prefix, options);
  }

  count(prefix: string): number {
    return this.view.count(prefix);
  }

  watch(request: WatchRequest): StoreWatch {
    return this.view.watch(request);
  }
}
