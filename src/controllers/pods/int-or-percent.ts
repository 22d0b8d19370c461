/** Resolves `25%` of `total`, rounded up or down, or a plain number; undefined counts as `fallback`. */
export function resolveIntOrPercent(
  value: number | string | undefined,
  {
    total,
    round,
    fallback,
  }: { readonly total: number; readonly round: 'up' | 'down'; readonly fallback: number | string },
): number {
  const given = value ?? fallback;
  if (typeof given === 'number') return given;
  const percent = /^(\d+)%$/.exec(given);
  if (!percent) return Number.parseInt(given, 10) || 0;
  const exact = (Number(percent[1]) * total) / 100;
  return round === 'up' ? Math.ceil(exact) : Math.floor(exact);
}
