/** A decoded struct while its defaults are filled in. */
export type Fields = Record<string, unknown>;

/** Fills in the defaults of one Go type; changes `struct`, whose nested structs come later. */
export type SetDefaults = (struct: Fields) => void;

/** Sets a field that holds nothing: absent, null, '' or 0. */
export function fill(struct: Fields, key: string, value: unknown): void {
  if (isZero(struct[key])) struct[key] = value;
}

/** Sets a field that Go holds as a pointer: only absent and null count as nothing. */
export function fillPointer(struct: Fields, key: string, value: unknown): void {
  if (struct[key] === undefined || struct[key] === null) struct[key] = value;
}

/** Sets several such fields. */
export function fillPointers(struct: Fields, values: Fields): void {
  for (const [key, value] of Object.entries(values)) fillPointer(struct, key, value);
}

/** The struct in a field, made when it is not there. */
export function structAt(struct: Fields, key: string): Fields {
  fillPointer(struct, key, {});
  return struct[key] as Fields;
}

/** The structs in a list field; none when it is not there. */
export function structsAt(struct: Fields, key: string): Fields[] {
  return (struct[key] as Fields[] | undefined) ?? [];
}

/** True for what Go holds as nothing: absent, null, '', 0, [] and {}. */
export function isZero(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === 0 || value === false) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
