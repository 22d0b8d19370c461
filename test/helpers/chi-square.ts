/**
 * Pearson's chi-square of observed counts against equal shares: the probability that chance alone strays as far. Uses the
 * Wilson-Hilferty approximation, good to a few per mille for three or more counts.
 */
export function chiSquareP(counts: readonly number[]): { readonly chiSquare: number; readonly p: number } {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const expected = total / counts.length;
  const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  const freedom = counts.length - 1;
  const z = (Math.cbrt(chiSquare / freedom) - (1 - 2 / (9 * freedom))) / Math.sqrt(2 / (9 * freedom));
  return { chiSquare, p: normalTail(z) };
}

// Upper tail of the normal distribution (Abramowitz and Stegun 26.2.17).
function normalTail(z: number): number {
  if (z < 0) return 1 - normalTail(-z);
  const t = 1 / (1 + 0.2316419 * z);
  const series = ((((1.330274429 * t - 1.821255978) * t + 1.781477937) * t - 0.356563782) * t + 0.31938153) * t;
  return (series * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI);
}
