import { ApiStatusError } from '../../kube/status.ts';
import { isJsonObject } from './json-value.ts';

/** The key of a directive in an object of a strategic merge patch. */
export const PATCH = '$patch';

/** 400 with upstream's text; where upstream answers a wrong patch with 500, this says whose fault it is. */
export function badPatch(text: string): ApiStatusError {
  return new ApiStatusError('BadRequest', text);
}

/** The value without fields that are null, lists searched as well. */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== null)
      .map(([key, inner]) => [key, withoutNulls(inner)]),
  );
}

/** The value without objects that are directives; undefined when it is one itself. */
export function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDirectives).filter((item) => item !== undefined);
  if (!isJsonObject(value)) return value;
  if (Object.hasOwn(value, PATCH)) return undefined;
  const fields = Object.entries(value).map(([key, inner]) => [key, withoutDirectives(inner)] as const);
  return Object.fromEntries(fields.filter(([, inner]) => inner !== undefined));
}
