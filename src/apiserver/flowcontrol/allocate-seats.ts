/** What one priority level may get; `low <= target` and `low <= high`. */
export interface SeatClaim {
  readonly low: number;
  readonly high: number;
  readonly target: number;
}

export interface SeatAllocation {
  /** One for each claim, summing up to what there is as far as the bounds allow it. */
  readonly seats: readonly number[];
  /** The multiple of its target that everybody gets whose bounds do not say otherwise. */
  readonly fraction: number;
}

// Nobody wants nothing at all: there would be no multiple of it.
const MIN_TARGET = 0.001;

/** Divides `total` among claims in proportion to their targets, within their bounds (the max-min fair share of KEP-1040). */
export function allocateSeats(total: number, claims: readonly SeatClaim[]): SeatAllocation {
  const targets = claims.map(({ target }) => Math.max(target, MIN_TARGET));
  const at = (fraction: number): number[] =>
    claims.map(({ low, high }, i) => Math.max(low, Math.min(high, fraction * targets[i]!)));
  const bounds = claims.flatMap(({ low, high }, i) => [low / targets[i]!, high / targets[i]!]).sort((a, b) => a - b);
  const sumAt = (fraction: number): number => at(fraction).reduce((sum, seats) => sum + seats, 0);
  let from = bounds[0] ?? 0;
  if (sumAt(from) >= total) return { seats: at(from), fraction: from };
  // The sum rises with the fraction, in a straight line between two bounds.
  for (const to of bounds) {
    const [below, above] = [sumAt(from), sumAt(to)];
    if (above >= total) {
      const fraction = from + ((to - from) * (total - below)) / (above - below);
      return { seats: at(fraction), fraction };
    }
    from = to;
  }
  return { seats: at(from), fraction: from };
}
