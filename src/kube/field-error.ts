import type { KubeObject, ResourceType } from './resources.ts';
import { ApiStatusError } from './status.ts';

/** What is wrong with one field, as field.Error of apimachinery. `field` is a path such as `spec.ports[0].nodePort`. */
export type FieldError =
  | { readonly type: 'Invalid'; readonly field: string; readonly value: unknown; readonly detail: string }
  | {
      readonly type: 'NotSupported';
      readonly field: string;
      readonly value: unknown;
      readonly supported: readonly string[];
    }
  | { readonly type: 'Duplicate' | 'NotFound'; readonly field: string; readonly value: unknown }
  | {
      readonly type: 'Required' | 'Forbidden' | 'TooLong' | 'InternalError';
      readonly field: string;
      readonly detail: string;
    };

const labels: Readonly<Record<FieldError['type'], string>> = {
  Invalid: 'Invalid value',
  NotSupported: 'Unsupported value',
  Duplicate: 'Duplicate value',
  NotFound: 'Not found',
  Required: 'Required value',
  Forbidden: 'Forbidden',
  TooLong: 'Too long',
  InternalError: 'Internal error',
};

/** 422 Invalid for an object with these errors, worded as the real server words it, one cause for each error. */
export function invalidObject(
  type: ResourceType,
  object: KubeObject,
  errors: readonly [FieldError, ...FieldError[]] | readonly FieldError[],
): ApiStatusError {
  const name = object.metadata?.name ?? '';
  const kind = type.group === '' ? type.kind : `${type.kind}.${type.group}`;
  const texts = [...new Set(errors.map((error) => `${error.field}: ${bodyOf(error)}`))];
  const causes = errors.map((error) => ({ reason: reasonOf(error), message: bodyOf(error), field: error.field }));
  return new ApiStatusError(
    'Invalid',
    `${kind} "${name}" is invalid: ${texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`}`,
    { name, ...(type.group === '' ? {} : { group: type.group }), kind: type.kind, causes },
  );
}

function reasonOf({ type }: FieldError): string {
  return type === 'InternalError' ? 'InternalError' : `FieldValue${type}`;
}

function bodyOf(error: FieldError): string {
  const head = 'value' in error ? `${labels[error.type]}: ${printValue(error.value)}` : labels[error.type];
  const detail = detailOf(error);
  return detail === '' ? head : `${head}: ${detail}`;
}

function detailOf(error: FieldError): string {
  if ('detail' in error) return error.detail;
  if ('supported' in error)
    return `supported values: ${error.supported.map((value) => JSON.stringify(value)).join(', ')}`;
  return '';
}

// Lists and structs are printed as JSON since 1.34; before that in Go syntax.
function printValue(value: unknown): string {
  return value === undefined || value === null ? 'null' : JSON.stringify(value);
}
