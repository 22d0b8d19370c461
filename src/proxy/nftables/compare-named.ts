/** What is new, different or gone between two lists of named things. */
export interface Comparison<T> {
  readonly added: readonly T[];
  /** As they are afterwards. */
  readonly changed: readonly T[];
  readonly removed: readonly T[];
}

/** Compares two lists by name; `print` says whether things of one name are the same. */
export function compareNamed<T extends { readonly name: string }>(
  before: readonly T[],
  after: readonly T[],
  print: (item: T) => string,
): Comparison<T> {
  const old = new Map(before.map((item) => [item.name, item]));
  const kept = new Set(after.map(({ name }) => name));
  const added: T[] = [];
  const changed: T[] = [];
  for (const item of after) {
    const previous = old.get(item.name);
    if (previous === undefined) added.push(item);
    else if (print(previous) !== print(item)) changed.push(item);
  }
  return { added, changed, removed: before.filter(({ name }) => !kept.has(name)) };
}
