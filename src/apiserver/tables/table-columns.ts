import type { KubeObject } from '../../kube/resources.ts';

/** One column of kubectl's tables, as TableColumnDefinition. */
export interface TableColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  readonly format?: string;
  readonly description?: string;
  /** 0 is always shown, higher ones with `-o wide`. */
  readonly priority?: number;
}

export type Cell = string | number | boolean | null | undefined;

/** How a kind looks as a table. */
export interface TableColumns {
  readonly columns: readonly TableColumn[];
  /** The cells of one object in its stored version; `now` is in milliseconds since the epoch, for ages. */
  readonly cells: (object: KubeObject, now: number) => readonly Cell[];
  /** The order of the rows of a list, where it is not that of the list. */
  readonly compare?: (a: KubeObject, b: KubeObject) => number;
}
