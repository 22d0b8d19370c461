import type { KubeObject } from '../../kube/resources.ts';
import type { Cell, TableColumns } from '../tables/table-columns.ts';

/** What a row carries beside its cells, as `includeObject` asks. */
export type IncludeObject = 'None' | 'Metadata' | 'Object';

export interface TableRow {
  /** In the stored version, for the cells. */
  readonly stored: KubeObject;
  /** In the served version, for the row's object. */
  readonly served: KubeObject;
}

export interface TableOptions {
  readonly version: string;
  readonly include: IncludeObject;
  readonly now: number;
  /** False for all but the first of a watch. */
  readonly withColumns: boolean;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** meta.k8s.io Table of these objects. */
export function printTable(
  { columns, cells, compare }: TableColumns,
  rows: readonly TableRow[],
  options: TableOptions,
): unknown {
  const { version, include, now, withColumns, metadata } = options;
  const ordered = compare ? [...rows].sort((a, b) => compare(a.stored, b.stored)) : rows;
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${version}`,
    metadata,
    columnDefinitions: withColumns
      ? columns.map((column) => ({ format: '', description: '', priority: 0, ...column }))
      : null,
    rows: ordered.map(({ stored, served }) => ({
      cells: cells(stored, now).map(cellOf),
      object: rowObject(served, include, version),
    })),
  };
}

const cellOf = (cell: Cell): Cell => cell ?? (cell === undefined ? '' : null);

function rowObject(object: KubeObject, include: IncludeObject, version: string): unknown {
  if (include === 'None') return null;
  return include === 'Object' ? object : partialMetadata(object, version);
}

/** PartialObjectMetadata of an object. */
export function partialMetadata({ metadata }: KubeObject, version: string): unknown {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata };
}
