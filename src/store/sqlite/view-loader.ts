import type { KeyValue, StoreEvent } from '../store.ts';
import { StoreView } from '../store-view.ts';
import type { DatabaseFacts } from './load-database.ts';
import { type LogRow, revisionOf, versionOf } from './log-rows.ts';

/** Builds the view from the rows of the file. */
export class ViewLoader {
  /** What a compaction that was cut short has left behind. */
  readonly superseded: StoreEvent[] = [];
  readonly #base = new Map<string, KeyValue>();
  readonly #later: LogRow[] = [];

  /** Takes the next row, in the order of their ids. */
  add(row: LogRow, compacted: number): void {
    if (revisionOf(row) > compacted) {
      this.#later.push(row);
      return;
    }
    const [previous, current] = [this.#base.get(row.key), versionOf(row)];
    if (previous !== undefined || current === undefined)
      this.superseded.push({ key: row.key, revision: revisionOf(row), current, previous, shared: undefined });
    if (current === undefined) this.#base.delete(row.key);
    else this.#base.set(row.key, current);
  }

  /** The view of what was added. */
  finish({ compacted, revision }: DatabaseFacts): StoreView {
    const view = new StoreView(compacted);
    view.reset(compacted, this.#base.values());
    for (const row of this.#later) {
      const [previous, current] = [view.get(row.key), versionOf(row)];
      view.record({ key: row.key, revision: revisionOf(row), current, previous, shared: undefined });
    }
    view.advance(revision);
    return view;
  }
}
