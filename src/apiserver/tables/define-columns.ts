import type { KubeObject } from '../../kube/resources.ts';
import type { Cell, TableColumn, TableColumns } from './table-columns.ts';

const NAME_DESCRIPTION =
  'Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names';

/**
 * Columns from their names: `+` in front makes one wide, `:integer` behind gives a type other than string. The first is
 * followed by the cells in the same order.
 */
export function defineColumns<T extends KubeObject>(
  names: readonly string[],
  cells: (object: T, now: number) => readonly Cell[],
): TableColumns {
  return { columns: names.map(column), cells: cells as TableColumns['cells'] };
}

function column(text: string): TableColumn {
  const wide = text.startsWith('+');
  const [name = '', type = 'string'] = (wide ? text.slice(1) : text).split(':');
  return {
    name,
    type: type as TableColumn['type'],
    format: name === 'Name' ? 'name' : '',
    description: name === 'Name' ? NAME_DESCRIPTION : '',
    priority: wide ? 1 : 0,
  };
}

/** The first three of a list, and how many more there are: `a,b,c + 2 more...`. */
export function firstThree(list: readonly string[], empty: string): string {
  if (list.length === 0) return empty;
  const shown = list.slice(0, 3).join(',');
  return list.length > 3 ? `${shown} + ${list.length - 3} more...` : shown;
}
