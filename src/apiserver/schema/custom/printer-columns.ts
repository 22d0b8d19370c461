import { type JsonPath, parseJsonPath } from './json-path.ts';

/** `additionalPrinterColumns` of a CRD's version. */
export interface PrinterColumn {
  readonly name: string;
  readonly type: string;
  readonly format?: string;
  readonly description?: string;
  readonly priority?: number;
  readonly jsonPath: string;
}

/** A column of a Table: its definition and its cell for an object. */
export interface CustomColumn {
  readonly name: string;
  readonly type: string;
  readonly format: string;
  readonly description: string;
  readonly priority: number;
  /** Undefined for an empty cell; a date as its timestamp, which the caller turns into an age. */
  cell(object: unknown): string | number | boolean | undefined;
}

/** The columns that kubectl shows of a custom kind beside its name; without any of its own the age. */
export function customColumns(columns: readonly PrinterColumn[] | undefined): readonly CustomColumn[] {
  const shown = columns && columns.length > 0 ? columns : [age];
  return shown.map((column) => {
    const path = parseJsonPath(column.jsonPath);
    return {
      name: column.name,
      type: column.type,
      format: column.format ?? '',
      description: column.description || `Custom resource definition column (in JSONPath format): ${column.jsonPath}`,
      priority: column.priority ?? 0,
      cell: (object) => cellOf(column.type, path, object),
    };
  });
}

const age: PrinterColumn = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description:
    'CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.',
};

function cellOf(type: string, path: JsonPath, object: unknown): string | number | boolean | undefined {
  const [value] = path.find(object);
  if (value === undefined || value === null) return undefined;
  switch (type) {
    case 'string':
      return typeof value === 'object' ? JSON.stringify(value) : String(value);
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : undefined;
    case 'number':
      return typeof value === 'number' ? value : undefined;
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined;
    default:
      return typeof value === 'string' ? value : undefined;
  }
}
